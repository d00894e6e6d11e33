#include <aiovm.h>
