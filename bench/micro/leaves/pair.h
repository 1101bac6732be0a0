/* Two tunnels that seal with leaf_sealing, for leaves of the corridors. */
#ifndef MP_LEAF_PAIR_H
#define MP_LEAF_PAIR_H

#include "../../../test/native/tunnel_fixture.h"

/* From now on what either end sends or delivers goes nowhere, and is sealed with leaf_sealing. */
void leaf_pair_cut(struct pair *pair);

/* As pair_open_carrying, but what either end sends or delivers goes nowhere. */
void leaf_pair_open(struct pair *pair, uint8_t paths);

#endif
