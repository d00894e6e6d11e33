import circ4
Y = 1
