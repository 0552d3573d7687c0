"""The smallest network with everything in it: works, two pumps, tank, loop, valve, patterns, controls."""

DEMO = """[TITLE]
A works of two pumps, a tank on a hill, a loop of six junctions and a reduced zone. Synthetic.

[JUNCTIONS]
;id  elevation  demand  pattern
 J0  6          0
 J1  10         6       day
 J2  11         8       day
 J3  12         8       day
 J4  11         10      day
 J5  10         8       day
 J6  9          5       day
 J7  4          4       day

[RESERVOIRS]
 R1  8

[TANKS]
;id  elevation  initial  lowest  highest  diameter  volume
 T1  45         3        1       5        18        0

[PIPES]
;id  from to   length  diameter  roughness  loss  status
 P0  J0   J1   400     350       120        0     Open
 P1  J1   J2   600     300       120        0     Open
 P2  J2   J3   500     250       120        0     Open
 P3  J3   J4   500     250       120        0     Open
 P4  J4   J5   600     250       120        0     Open
 P5  J5   J1   500     300       120        0     Open
 P6  J5   J6   400     200       120        0     Open
 P7  J3   T1   700     300       120        0     Open

[PUMPS]
 PU1 R1   J0   HEAD works
 PU2 R1   J0   HEAD works

[VALVES]
 V1  J6   J7   150     PRV   30         0

[CURVES]
 works 35 48

[PATTERNS]
 day 0.5 0.4 0.4 0.4 0.5 0.8 1.3 1.5 1.3 1.1 1.0 1.1
 day 1.2 1.1 1.0 1.0 1.1 1.3 1.5 1.6 1.4 1.2 0.9 0.7

[CONTROLS]
 LINK PU2 CLOSED IF NODE T1 ABOVE 4.5
 LINK PU2 OPEN IF NODE T1 BELOW 2.5

[ENERGY]
 Global Efficiency 75

[TIMES]
 Duration           24:00
 Hydraulic Timestep 0:05
 Pattern Timestep   1:00
 Report Timestep    0:05

[OPTIONS]
 Units    LPS
 Headloss H-W
 Accuracy 0.00001
 Unbalanced Continue 10

[COORDINATES]
 J0  0    0
 J1  400  0
 J2  900  300
 J3  1300 0
 J4  1100 -450
 J5  600  -400
 J6  500  -800
 J7  400  -1100
 R1  -50  0
 T1  1900 200

[VERTICES]
 P1  650  250

[END]
"""
