val = 5
