#include "worker/tensors/out_of_memory.hpp"

#include <c10/util/Exception.h>

#include <new>

#include "common/str_cat.hpp"

namespace mdl::worker::tensors {
namespace {

/// LibTorch's allocator for the CPU has no exception of its own.
bool is_out_of_memory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string(error.what_without_backtrace()).find("can't allocate memory") != std::string::npos;
}

}  // namespace

void explain_memory(const std::string& what, const std::string& advice, const std::function<void()>& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(str_cat(what, ": out of memory"), advice);
  } catch (const c10::Error& error) {
    if (!is_out_of_memory(error)) { throw; }
    throw OutOfMemory(str_cat(what, ": out of memory: ", error.what_without_backtrace()), advice);
  }
}

}  // namespace mdl::worker::tensors
