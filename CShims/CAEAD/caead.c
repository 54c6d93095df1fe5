#include "CAEAD.h"
