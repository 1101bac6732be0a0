/* A system call that failed, on its way to where an error can be thrown or told. */
#ifndef MP_FAULT_H
#define MP_FAULT_H

struct mp_fault {
  int error;           /* errno */
  const char *syscall; /* its name, static */
};

#endif
