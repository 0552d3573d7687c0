// The one clock of the page: where it stands, whether it runs, how fast; and how it reads as local time.

export const SPEEDS = [1, 5, 10, 30, 60, 120, 300];

export class Clock {
  constructor(start, end_s) {
    this.start = start;
    this.end_s = end_s;
    this.second = 0;
    this.speed = 30;
    this.playing = false;
    this.heard = [];
  }

  listen(heard) {
    this.heard.push(heard);
  }

  tell() {
    for (const heard of this.heard) heard(this);
  }

  seek(second) {
    this.second = Math.min(Math.max(0, Number(second) || 0), this.end_s);
    this.tell();
  }

  play(on = !this.playing) {
    if (on && this.second >= this.end_s) this.second = 0;
    this.playing = on;
    this.tell();
  }

  faster(steps) {
    const at = SPEEDS.indexOf(this.speed);
    this.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + steps))]);
  }

  setSpeed(speed) {
    this.speed = speed;
    this.tell();
  }

  // Let wall time pass.
  pass(seconds) {
    if (!this.playing) return;
    this.second = Math.min(this.end_s, this.second + seconds * this.speed);
    if (this.second >= this.end_s) this.playing = false;
    this.tell();
  }

  date(second = this.second) {
    return new Date(this.start + Math.floor(second + 1e-6) * 1000);
  }

  time(second = this.second) {
    return this.date(second).toISOString().slice(11, 19);
  }

  day(language, second = this.second) {
    const locale = language === "zh" ? "zh-CN" : "en-GB";
    return this.date(second).toLocaleDateString(locale, {
      timeZone: "UTC",
      weekday: "short",
      day: "numeric",
      month: "short",
      year: "numeric",
    });
  }

  isNight() {
    const hour = this.date().getUTCHours() + this.date().getUTCMinutes() / 60;
    return hour < 6 || hour >= 18.75;
  }
}
