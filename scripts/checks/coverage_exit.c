/* Linked into the programs of the coverage build: a child process that ends by _exit() writes its counters first. */

extern void __gcov_dump(void);
extern void __real__exit(int code) __attribute__((noreturn));
void __wrap__exit(int code) __attribute__((noreturn));

void __wrap__exit(int code) {
  __gcov_dump();
  __real__exit(code);
}
