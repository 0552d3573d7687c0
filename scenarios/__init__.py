"""What can happen to a city: timelines and what else drives a rehearsal."""
