#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace mdl::launcher::accelerate {

/// How the wizard asks: on a terminal with menus, or through a pipe with plain lines. The wizard itself does not know
/// which.
class Prompter {
 public:
  virtual ~Prompter() = default;

  /// Lets the user choose one of `options`; returns its index. Enter alone takes `preset`.
  virtual std::size_t choose(const std::string& question, const std::vector<std::string>& options,
                             std::size_t preset) = 0;

  /// Asks for one line; returns it without the newline and without blanks around it. Empty when Enter alone was
  /// pressed.
  virtual std::string ask(const std::string& question) = 0;

  /// Shows a text to the user.
  virtual void tell(const std::string& text) = 0;
};

/// Texts that the prompter itself shows.
struct PrompterTexts {
  std::string menu_hint;    ///< below a menu's question
  std::string bad_choice;   ///< plain mode: the answer is none of the choices
  std::string input_ended;  ///< the input ended before the last answer
};

/// Reads keys and lines from `input` (a file descriptor) and writes to `output`. When `menus` is true, `input` must be
/// a terminal: arrow keys, k and j, or typed numbers move, Enter takes. Without menus the choices are numbered from 0
/// and one line is read: a number or the choice's own words. Throws Error when the input ends or is interrupted with
/// Ctrl-C (exit code 130); the terminal's mode is restored always.
std::unique_ptr<Prompter> make_prompter(int input, std::ostream& output, bool menus, PrompterTexts texts);

}  // namespace mdl::launcher::accelerate
