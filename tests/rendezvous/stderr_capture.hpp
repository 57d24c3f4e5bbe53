#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "common/unique_fd.hpp"

namespace mdl::test {

/// What is written to stderr, from here on, instead of the terminal. Put back at the end.
class StderrCapture {
 public:
  StderrCapture() : saved_(::dup(STDERR_FILENO)), file_(::memfd_create("stderr", MFD_CLOEXEC)) {
    ::dup2(file_.get(), STDERR_FILENO);
  }
  ~StderrCapture() { ::dup2(saved_.get(), STDERR_FILENO); }
  StderrCapture(const StderrCapture&) = delete;
  StderrCapture& operator=(const StderrCapture&) = delete;

  std::string text() const {
    std::string result;
    std::array<char, 4096> part;
    ssize_t n = 0;
    while ((n = ::pread(file_.get(), part.data(), part.size(), static_cast<off_t>(result.size()))) > 0) {
      result.append(part.data(), static_cast<std::size_t>(n));
    }
    return result;
  }
  std::size_t lines() const {
    const std::string all = text();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n'));
  }

 private:
  UniqueFd saved_;
  UniqueFd file_;
};

}  // namespace mdl::test
