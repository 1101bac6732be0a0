/* Inputs that are instructions: one octet of what to do, and its operands. */
#ifndef MP_TEST_INSTRUCTIONS_H
#define MP_TEST_INSTRUCTIONS_H

#include <stddef.h>
#include <stdint.h>

struct input {
  const uint8_t *at;
  size_t left;
};

/* NULL: so many octets are not left, and the input ends. */
static inline const uint8_t *take(struct input *input, size_t count)
{
  if (input->left < count)
    return NULL;
  const uint8_t *taken = input->at;
  input->at += count;
  input->left -= count;
  return taken;
}

#endif
