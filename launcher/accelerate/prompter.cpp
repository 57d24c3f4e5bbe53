#include "launcher/accelerate/prompter.hpp"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <ostream>

#include "common/error.hpp"
#include "common/trimmed.hpp"

namespace mdl::launcher::accelerate {
namespace {

constexpr int kExitInterrupted = 130;     // as a shell reports SIGINT
constexpr std::size_t kTallestMenu = 16;  // a taller one would scroll, and could not be redrawn in place

/// Single keys without echo, until the end of the scope. What was typed ahead is kept.
class RawMode {
 public:
  explicit RawMode(int fd) : fd_(fd), active_(::tcgetattr(fd, &saved_) == 0) {
    termios raw = saved_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (active_) { ::tcsetattr(fd_, TCSADRAIN, &raw); }
  }
  ~RawMode() {
    if (active_) { ::tcsetattr(fd_, TCSADRAIN, &saved_); }
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

 private:
  int fd_;
  termios saved_{};
  bool active_;
};

std::optional<std::size_t> number_in(const std::string& text) {
  std::size_t value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) { return std::nullopt; }
  return value;
}

class FdPrompter : public Prompter {
 public:
  FdPrompter(int input, std::ostream& output, bool menus, PrompterTexts texts)
      : input_(input), output_(output), menus_(menus), texts_(std::move(texts)) {}

  std::size_t choose(const std::string& question, const std::vector<std::string>& options,
                     std::size_t preset) override {
    return menus_ && options.size() <= kTallestMenu ? menu(question, options, preset)
                                                    : plain_choice(question, options, preset);
  }

  std::string ask(const std::string& question) override { return read_line(question, question); }

  void tell(const std::string& text) override { output_ << text << "\n" << std::flush; }

 private:
  char next_byte(const std::string& question) const {
    char c = 0;
    ssize_t got = 0;
    do { got = ::read(input_, &c, 1); } while (got < 0 && errno == EINTR);
    if (got <= 0) { throw Error(texts_.input_ended + question); }
    return c;
  }

  std::string read_line(const std::string& prompt, const std::string& question) {
    output_ << prompt << " " << std::flush;
    std::string line;
    for (char c = next_byte(question); c != '\n'; c = next_byte(question)) { line += c; }
    if (!menus_) {
      output_ << "\n";  // a pipe does not echo
    }
    return trimmed(line);
  }

  std::size_t plain_choice(const std::string& question, const std::vector<std::string>& options, std::size_t preset) {
    while (true) {
      output_ << question << "\n";
      for (std::size_t i = 0; i < options.size(); ++i) { output_ << "  " << i << "  " << options[i] << "\n"; }
      std::string answer = read_line("[" + std::to_string(preset) + "]:", question);
      if (answer.empty()) { return preset; }
      // The words come first: a choice may itself be a number.
      auto same = std::find(options.begin(), options.end(), answer);
      if (same != options.end()) { return static_cast<std::size_t>(same - options.begin()); }
      if (auto index = number_in(answer); index && *index < options.size()) { return *index; }
      tell(texts_.bad_choice + answer);
    }
  }

  void draw(const std::vector<std::string>& options, std::size_t position) {
    for (std::size_t i = 0; i < options.size(); ++i) {
      output_ << "\r\x1b[K" << (i == position ? " \x1b[32m> " + options[i] + "\x1b[0m" : "   " + options[i]) << "\n";
    }
    output_ << std::flush;
  }

  std::size_t menu(const std::string& question, const std::vector<std::string>& options, std::size_t preset) {
    RawMode raw(input_);
    output_ << "\n" << question << "\n" << texts_.menu_hint << "\n";
    std::size_t position = preset;
    std::string digits;
    draw(options, position);
    while (true) {
      std::string key = read_key(question);
      if (key == "\r" || key == "\n") { break; }
      if (key == "\x03") { throw Error(texts_.input_ended + question, "", kExitInterrupted); }
      if (key == "up" || key == "k") {
        if (position > 0) { --position; }
      } else if (key == "down" || key == "j") {
        if (position + 1 < options.size()) { ++position; }
      } else if (key.size() == 1 && key[0] >= '0' && key[0] <= '9') {
        digits += key;
        if (number_in(digits).value_or(options.size()) >= options.size()) {
          digits = key;  // a new number begins
        }
        if (auto index = number_in(digits); *index < options.size()) { position = *index; }
      }
      if (key.size() != 1) { digits.clear(); }
      output_ << "\x1b[" << options.size() << "A";
      draw(options, position);
    }
    // The menu folds into the choice, so that the screen shows questions and answers only.
    output_ << "\x1b[" << options.size() + 1 << "A\r\x1b[J"
            << "  " << options[position] << "\n"
            << std::flush;
    return position;
  }

  /// One key: its byte, or "up", "down", "" for other escape sequences.
  std::string read_key(const std::string& question) const {
    char c = next_byte(question);
    if (c != '\x1b') { return std::string(1, c); }
    char second = next_byte(question);
    if (second != '[' && second != 'O') { return ""; }
    char last = next_byte(question);
    while (last >= '0' && last <= '9') {
      last = next_byte(question);  // keys such as Delete: ESC [ 3 ~
    }
    return last == 'A' ? "up" : last == 'B' ? "down" : "";
  }

  int input_;
  std::ostream& output_;
  bool menus_;
  PrompterTexts texts_;
};

}  // namespace

std::unique_ptr<Prompter> make_prompter(int input, std::ostream& output, bool menus, PrompterTexts texts) {
  return std::make_unique<FdPrompter>(input, output, menus, std::move(texts));
}

}  // namespace mdl::launcher::accelerate
