#include "common/error.hpp"

#include <string_view>
#include <system_error>

namespace mdl {
namespace {

constexpr std::string_view kBeforeAdvice = "\n  ";

std::string whole_text(const std::string& problem, const std::string& advice) {
  return advice.empty() ? problem : problem + std::string(kBeforeAdvice) + advice;
}

}  // namespace

Error::Error(const std::string& problem, const std::string& advice, int exit_code)
    : std::runtime_error(whole_text(problem, advice)), problem_size_(problem.size()), exit_code_(exit_code) {}

std::string Error::advice() const {
  const std::string_view rest = std::string_view(what()).substr(problem_size_);
  return std::string(rest.empty() ? rest : rest.substr(kBeforeAdvice.size()));
}

std::string describe_errno(const std::string& operation, const std::string& object, int errno_value) {
  return operation + " " + object + ": " + std::generic_category().message(errno_value);
}

}  // namespace mdl
