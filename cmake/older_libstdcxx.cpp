// std::condition_variable::wait in the version that GCC 11's C++ library has (MdlOlderLibstdcxx.cmake). GCC 12's has it
// twice: the newer one may be left by an exception that cancels the thread, which nothing here does.

#include <condition_variable>
#include <mutex>

extern "C" {

void mdl_older_wait(std::condition_variable*, std::unique_lock<std::mutex>*);
asm(".symver mdl_older_wait, _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");

/// Takes the place of the newer one in what is linked with --wrap.
void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(std::condition_variable* self,
                                                                      std::unique_lock<std::mutex>* lock) {
  mdl_older_wait(self, lock);
}
}
