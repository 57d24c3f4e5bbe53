#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace mdl {

/// Process exit codes of both programs.
inline constexpr int kExitFailure = 1;  ///< the job or a part of it failed
inline constexpr int kExitUsage = 2;    ///< the command line or a configuration file is wrong; nothing was started

/// An error that ends the command. The problem says what was tried, on what, and what happened; the advice says what
/// the user can do about it. main() prints both once on stderr and exits with `exit_code()`.
///
/// Who passes an error on throws it again as it is, or keeps the object: so its exit code, and which of its two texts
/// is which, are not lost. Who tells of it within a sentence of his own takes problem().
///
/// Errors that the caller is expected to handle (a refused connection, a missing key) are values, not Errors.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& problem, const std::string& advice = {}, int exit_code = kExitFailure);

  /// What was tried, on what, and what happened.
  std::string problem() const { return std::string(what(), problem_size_); }
  /// What the user can do about it; empty where there is nothing to say.
  std::string advice() const;
  int exit_code() const noexcept { return exit_code_; }

 private:
  std::size_t problem_size_;  ///< of what(), which has both: a copy of an exception must not throw, as strings' can
  int exit_code_;
};

/// A wrong command line, configuration file or input, found before anything was started. Exits with 2.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& problem, const std::string& advice = {})
      : Error(problem, advice, kExitUsage) {}
};

/// "open /x/y: No such file or directory": the operation, its object and the text of `errno_value`.
std::string describe_errno(const std::string& operation, const std::string& object, int errno_value);

}  // namespace mdl
