from ..b import val
from .. import b as bb
print('deep', __name__, val)
