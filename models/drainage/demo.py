"""The smallest drainage with everything in it: four manholes, a wet well with two pumps, an underpass, a gated outfall."""

DEMO = """[TITLE]
Four manholes fall to a wet well below the river, whose pumps lift to it; an underpass with a pump; a gated overflow. Synthetic.

[OPTIONS]
FLOW_UNITS           CMS
INFILTRATION         HORTON
FLOW_ROUTING         DYNWAVE
LINK_OFFSETS         DEPTH
ALLOW_PONDING        YES
START_DATE           08/16/2014
START_TIME           20:00:00
REPORT_START_DATE    08/16/2014
REPORT_START_TIME    20:00:00
END_DATE             08/17/2014
END_TIME             20:00:00
REPORT_STEP          00:05:00
WET_STEP             00:01:00
DRY_STEP             00:01:00
ROUTING_STEP         5
VARIABLE_STEP        0
INERTIAL_DAMPING     PARTIAL
THREADS              1

[RAINGAGES]
;gage format interval catch source
 G1 INTENSITY 1:00 1.0 TIMESERIES shower
 G2 INTENSITY 1:00 1.0 TIMESERIES shower
 G3 INTENSITY 1:00 1.0 TIMESERIES shower

[SUBCATCHMENTS]
;id gage outlet area_ha imperv width slope curb
 A1 G1 N1  4   70 200 0.5 0
 A2 G2 N3  4   70 200 0.5 0
 A3 G3 UP1 1.0 90 80  1   0

[SUBAREAS]
 A1 0.013 0.15 1.5 5 25 OUTLET
 A2 0.013 0.15 1.5 5 25 OUTLET
 A3 0.013 0.15 1.5 5 25 OUTLET

[INFILTRATION]
 A1 50 5 4 7 0
 A2 50 5 4 7 0
 A3 50 5 4 7 0

[JUNCTIONS]
;id invert depth initial surcharge ponded
 N1 7.6 2.4 0 0 3000
 N2 7.2 2.8 0 0 3000
 N3 6.8 3.2 0 0 3000
 N4 6.4 3.6 0 0 3000
 HEAD 9.2 4.0 1.3 0 0

[OUTFALLS]
 RIVER 9.1 FIXED 10.5 NO
 CANAL 8.6 FIXED 8.8 YES

[STORAGE]
;id invert depth initial shape curve
 WELL 4.0 6.0 1.0 TABULAR well 0 0
 UP1  3.0 7.2 0.0 TABULAR dip  0 0

[CONDUITS]
;id from to length n in_offset out_offset
 C1 N1 N2   200 0.013 0 0
 C2 N2 N3   200 0.013 0 0
 C3 N3 N4   200 0.013 0 0
 C4 N4 WELL 100 0.013 0 1.9
 C5 N2 CANAL 120 0.013 1.7 0
 C6 HEAD RIVER 40 0.013 0 0

[PUMPS]
;id from to curve status on off
 PU1 WELL HEAD lift ON  1.0 0.5
 PU2 WELL HEAD lift OFF 1.6 0.7
 PU3 UP1  N3    dip_lift OFF 1.2 0.3

[WEIRS]
 W1 N3 UP1 TRANSVERSE 1.8 3.3 YES

[XSECTIONS]
 C1 CIRCULAR 0.8 0 0 0
 C2 CIRCULAR 1.0 0 0 0
 C3 CIRCULAR 1.2 0 0 0
 C4 CIRCULAR 1.2 0 0 0
 C5 CIRCULAR 0.8 0 0 0
 C6 CIRCULAR 1.2 0 0 0
 W1 RECT_OPEN 0.4 10 0 0

[CURVES]
 lift     PUMP3 2   1.2
 lift           8   0.5
 dip_lift PUMP3 2   0.25
 dip_lift       9   0.12
 well     STORAGE 0   120
 well             6   120
 dip      STORAGE 0   12
 dip              2.0 12
 dip              2.2 350
 dip              7.2 900

[TIMESERIES]
 shower 0:00 60
 shower 1:00 20
 shower 2:00 0

[REPORT]
 CONTROLS NO

[COORDINATES]
 N1 0 0
 N2 250 0
 N3 250 250
 N4 500 250
 WELL 600 250
 HEAD 650 260
 RIVER 700 300
 CANAL 250 -120
 UP1 300 300

[POLYGONS]
 A1 -100 -100
 A1 125 -100
 A1 125 125
 A1 -100 125
 A2 130 130
 A2 290 130
 A2 290 290
 A2 130 290
 A3 290 290
 A3 340 290
 A3 340 340
 A3 290 340
"""

SURFACES = """id,kind,node,road_m,path
S1,street,N1,2.4,0 0;250 0
S1,street,N2,2.8,
S2,street,N2,2.8,250 0;250 250
S2,street,N3,3.2,
S3,street,N3,3.2,250 250;500 250
S3,street,N4,3.6,
S4,street,UP1,2.0,300 250;300 350
UP1,underpass,UP1,2.0,
"""
