from circ1 import X
