import circ2
X = 1
