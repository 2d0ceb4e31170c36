10 REM Guess a number
20 N = RND(100) : T = 0
30 PRINT "I think of a number from 1 to 100."
40 INPUT "Your guess? "; G : T = T + 1
50 IF G < N THEN PRINT "It is larger." : GOTO 40
60 IF G > N THEN PRINT "It is smaller." : GOTO 40
70 PRINT "Yes! You needed "; T; " guesses."
80 INPUT "Again (1 or 0)? "; A
90 IF A THEN 20 ELSE PRINT "Goodbye."
RUN
