val=1
