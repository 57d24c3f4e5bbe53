#pragma once

#include <cstddef>

namespace httplib {

/// Memory for LibTorch's own, which is smaller. See README.md.
class Server {
  alignas(std::max_align_t) unsigned char memory_[16 * 1024];
};

}  // namespace httplib
