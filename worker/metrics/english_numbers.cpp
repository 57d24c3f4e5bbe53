#include "worker/metrics/english_numbers.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <variant>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "worker/metrics/substitution.hpp"

namespace mdl::worker::metrics {
namespace {

__extension__ using Whole = __int128;  ///< up to 10^38: a decillion is 10^33

constexpr std::size_t kMostDigits = 30;

std::string figures(Whole number) {
  if (number == 0) { return "0"; }
  std::string digits;
  for (; number > 0; number /= 10) { digits += static_cast<char>('0' + static_cast<int>(number % 10)); }
  return {digits.rbegin(), digits.rend()};
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Digits, perhaps a point and digits.
bool is_number(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos) { return is_digits(text); }
  return is_digits(text.substr(0, point)) && is_digits(text.substr(point + 1));
}

Whole whole_of(std::string_view digits) {
  Whole number = 0;
  for (const char c : digits) { number = number * 10 + (c - '0'); }
  return number;
}

/// `text` (a decimal number, which may end with its point) times `factor`, where that is a whole number.
std::optional<Whole> times(const std::string& text, Whole factor) {
  const auto point = text.find('.');
  const std::string before = text.substr(0, point);
  std::string behind = point == std::string::npos ? "" : text.substr(point + 1);
  if (!is_digits(before + behind) || before.size() + behind.size() > kMostDigits) { return std::nullopt; }
  while (!behind.empty() && behind.back() == '0') { behind.pop_back(); }
  for (std::size_t i = 0; i < behind.size(); ++i) {
    if (factor % 10 != 0) { return std::nullopt; }
    factor /= 10;
  }
  const Whole digits = whole_of(before + behind);
  constexpr Whole kMost = (Whole{1} << 126);
  if (digits != 0 && factor > kMost / digits) { return std::nullopt; }
  return digits * factor;
}

/// A number behind which an ending stands: "sixties", "fifth".
struct Ended {
  Whole value = 0;
  std::string ending;
};

/// The words that numbers are made of.
struct Words {
  std::set<std::string> zeros = {"o", "oh", "zero"};
  std::map<std::string, Whole> ones, tens, multipliers;
  std::map<std::string, Ended> ended_ones, ended_tens, ended_multipliers;
  std::map<std::string, std::string> signs = {{"minus", "-"}, {"negative", "-"}, {"plus", "+"}, {"positive", "+"}};
  std::map<std::string, std::string> currencies = {{"pound", "£"},  {"pounds", "£"},  {"euro", "€"}, {"euros", "€"},
                                                   {"dollar", "$"}, {"dollars", "$"}, {"cent", "¢"}, {"cents", "¢"}};
  std::set<std::string> others = {"per", "percent", "and", "double", "triple", "point"};

  Words() {
    int value = 0;
    for (const char* name :
         {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
          "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"}) {
      const std::string word = name;
      ones[word] = ++value;
      ended_ones[word == "six" ? "sixes" : word + "s"] = {value, "s"};
      if (value > 3 && value != 5 && value != 12) {
        ended_ones[word + (word.ends_with('t') ? "h" : "th")] = {value, "th"};
      }
    }
    ended_ones["zeroth"] = {0, "th"};
    ended_ones["first"] = {1, "st"};
    ended_ones["second"] = {2, "nd"};
    ended_ones["third"] = {3, "rd"};
    ended_ones["fifth"] = {5, "th"};
    ended_ones["twelfth"] = {12, "th"};
    value = 10;
    for (const char* name : {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}) {
      const std::string word = name, stem = word.substr(0, word.size() - 1);
      tens[word] = value += 10;
      ended_tens[stem + "ies"] = {value, "s"};
      ended_tens[stem + "ieth"] = {value, "th"};
    }
    Whole power = 1;
    add_multiplier("hundred", 100);
    for (const char* name : {"thousand", "million", "billion", "trillion", "quadrillion", "quintillion", "sextillion",
                             "septillion", "octillion", "nonillion", "decillion"}) {
      add_multiplier(name, power *= 1000);
    }
  }

  bool has(const std::string& word) const {
    return zeros.contains(word) || ones.contains(word) || tens.contains(word) || multipliers.contains(word) ||
           ended_ones.contains(word) || ended_tens.contains(word) || ended_multipliers.contains(word) ||
           signs.contains(word) || currencies.contains(word) || others.contains(word);
  }

  bool is_decimal(const std::string& word) const {
    return zeros.contains(word) || ones.contains(word) || tens.contains(word);
  }

 private:
  void add_multiplier(const std::string& word, Whole value) {
    multipliers[word] = value;
    ended_multipliers[word + "s"] = {value, "s"};
    ended_multipliers[word + "th"] = {value, "th"};
  }
};

const Words& number_words() {
  static const Words words;
  return words;
}

/// Goes through the words of a text and joins those of a number. What is read so far is a whole number, or a text of
/// figures where it cannot be added to any more ("one oh one", "3.").
class NumberReader {
 public:
  explicit NumberReader(const std::vector<std::string>& words) : words_(words) {}

  std::vector<std::string> read() {
    for (at_ = 0; at_ < words_.size(); ++at_) { take(words_[at_]); }
    end_number();
    return result_;
  }

 private:
  using Value = std::variant<std::monostate, Whole, std::string>;

  std::string previous() const { return at_ > 0 ? words_[at_ - 1] : ""; }
  std::string next() const { return at_ + 1 < words_.size() ? words_[at_ + 1] : ""; }
  bool next_is_figures() const { return is_number(next()); }
  bool next_may_be_number() const { return next_is_figures() || number_words().has(next()); }

  bool has_value() const { return !std::holds_alternative<std::monostate>(value_); }
  const Whole* whole() const { return std::get_if<Whole>(&value_); }
  std::string value_text() const {
    if (const auto* number = whole()) { return figures(*number); }
    const auto* text = std::get_if<std::string>(&value_);
    return text ? *text : "";
  }
  /// As Python's `value or ""`: a zero is nothing.
  std::string value_or_nothing() const { return whole() && *whole() == 0 ? "" : value_text(); }

  void put(const std::string& text) {
    result_.push_back(sign_ + text);
    sign_.clear();
    value_ = {};
  }
  void end_number() {
    if (has_value()) { put(value_text()); }
  }
  void put_word(const std::string& word) {
    end_number();
    put(word);
  }

  void take(const std::string& word) {
    const Words& known = number_words();
    if (const auto sign = sign_of(word); is_number(word.substr(sign.size()))) { return take_figures(word, sign); }
    if (!known.has(word)) { return put_word(word); }
    if (known.zeros.contains(word)) {
      value_ = value_or_nothing() + "0";
      return;
    }
    if (const auto one = known.ones.find(word); one != known.ones.end()) { return take_one(one->second); }
    if (const auto one = known.ended_ones.find(word); one != known.ended_ones.end()) {
      return put_ended_one(one->second);
    }
    if (const auto ten = known.tens.find(word); ten != known.tens.end()) {
      value_ = with_ten(ten->second);
      return;
    }
    if (const auto ten = known.ended_tens.find(word); ten != known.ended_tens.end()) {
      value_ = with_ten(ten->second.value);
      return put(value_text() + ten->second.ending);
    }
    if (const auto found = known.multipliers.find(word); found != known.multipliers.end()) {
      return multiply(found->second);
    }
    if (const auto found = known.ended_multipliers.find(word); found != known.ended_multipliers.end()) {
      return put_ended_multiple(found->second);
    }
    if (const auto sign = known.signs.find(word); sign != known.signs.end()) {
      end_number();
      if (!next_may_be_number()) { return put(word); }
      sign_ = sign->second;
      return;
    }
    if (const auto currency = known.currencies.find(word); currency != known.currencies.end()) {
      if (!has_value()) { return put(word); }
      sign_ = currency->second;
      return end_number();
    }
    if (word == "per" || word == "percent") { return take_percent(word); }
    take_special(word);
  }

  /// The sign or currency that figures begin with.
  static std::string sign_of(const std::string& word) {
    for (const char* sign : {"-", "+", "£", "€", "$", "¢"}) {
      if (word.starts_with(sign)) { return sign; }
    }
    return "";
  }

  void take_figures(const std::string& word, const std::string& sign) {
    const std::string number = word.substr(sign.size());
    if (has_value()) {
      if (!whole() && value_text().ends_with('.')) {  // decimals, or the parts of an address
        value_ = value_text() + word;
        return;
      }
      end_number();
    }
    if (!sign.empty()) { sign_ = sign; }
    const auto plain = times(number, 1);
    value_ = plain ? Value(*plain) : Value(number);
  }

  bool follows_one() const { return number_words().ones.contains(previous()); }

  /// What a number becomes with one to nineteen behind it.
  Value with_one(Whole one) const {
    const std::string digits = figures(one);
    if (!has_value()) { return one; }
    if (!whole() || follows_one()) {
      std::string text = value_text();
      if (number_words().tens.contains(previous()) && one < 10) { text.pop_back(); }  // in the place of the zero
      return text + digits;
    }
    const Whole room = one < 10 ? 10 : 100;
    if (*whole() % room == 0) { return *whole() + one; }
    return value_text() + digits;
  }

  void take_one(Whole one) { value_ = with_one(one); }

  void put_ended_one(const Ended& one) {
    value_ = with_one(one.value);
    put(value_text() + one.ending);
  }

  Value with_ten(Whole ten) const {
    if (!has_value()) { return ten; }
    if (whole() && *whole() % 100 == 0) { return *whole() + ten; }
    return value_text() + figures(ten);
  }

  /// The last three digits are what is multiplied: "two thousand three hundred".
  static std::optional<Whole> multiplied(Whole value, Whole factor) {
    constexpr Whole kMost = Whole{1} << 100;
    const Whole rest = value % 1000;
    if (factor > kMost / 1000 && rest > 100) { return std::nullopt; }
    return value / 1000 * 1000 + rest * factor;
  }

  void multiply(Whole factor) {
    if (!has_value()) {
      value_ = factor;
    } else if (!whole() || *whole() == 0) {
      if (const auto product = times(value_text(), factor)) {
        value_ = *product;
      } else {
        end_number();
        value_ = factor;
      }
    } else if (const auto product = multiplied(*whole(), factor)) {
      value_ = *product;
    } else {
      end_number();
      value_ = factor;
    }
  }

  void put_ended_multiple(const Ended& multiple) {
    if (!has_value()) { return put(figures(multiple.value) + multiple.ending); }
    const auto product = whole() ? multiplied(*whole(), multiple.value) : times(value_text(), multiple.value);
    if (!product) {
      end_number();
      return put(figures(multiple.value) + multiple.ending);
    }
    put(figures(*product) + multiple.ending);
  }

  void take_percent(const std::string& word) {
    if (!has_value()) { return put(word); }
    if (word == "percent") { return put(value_text() + "%"); }
    if (next() != "cent") { return put_word(word); }
    put(value_text() + "%");
    ++at_;
  }

  void take_special(const std::string& word) {
    const Words& known = number_words();
    if (!next_may_be_number()) { return put_word(word); }
    if (word == "and") {
      if (!known.multipliers.contains(previous())) { put_word(word); }
    } else if (word == "point") {
      if (known.is_decimal(next()) || next_is_figures()) { value_ = value_or_nothing() + "."; }
    } else {  // double, triple
      const auto one = known.ones.find(next());
      if (one == known.ones.end() && !known.zeros.contains(next())) { return put_word(word); }
      const std::string digit = figures(one == known.ones.end() ? Whole{0} : one->second);
      value_ = value_or_nothing() + digit + digit + (word == "triple" ? digit : "");
      ++at_;
    }
  }

  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
  Value value_;
  std::string sign_;
  std::vector<std::string> result_;
};

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) { words.push_back(word); }
  return words;
}

/// "two and a half" becomes "two point five", where a number stands before it.
std::string with_point_five(const std::string& text) {
  static const Substitution half("\\band\\s+a\\s+half\\b", "\x01");
  const std::string marked = half.apply(text);
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= marked.size();) {
    const std::size_t end = std::min(marked.find('\x01', begin), marked.size());
    const std::string part = marked.substr(begin, end - begin);
    begin = end + 1;
    const std::vector<std::string> words = split_words(part);
    if (words.empty()) { continue; }
    parts.push_back(part);
    if (end == marked.size()) { break; }
    const Words& known = number_words();
    const bool number = known.is_decimal(words.back()) || known.multipliers.contains(words.back());
    parts.emplace_back(number ? "point five" : "and a half");
  }
  return joined(parts, " ");
}

}  // namespace

std::string figures_for_numbers(const std::string& text) {
  static const Substitution letter_digit("([a-z])([0-9])", "$1 $2"), digit_letter("([0-9])([a-z])", "$1 $2"),
      ending("([0-9])\\s+(st|nd|rd|th|s)\\b", "$1$2"), cents("([€£$])([0-9]+) (?:and )?¢([0-9])\\b", "$1$2.0$3"),
      two_cents("([€£$])([0-9]+) (?:and )?¢([0-9]{2})\\b", "$1$2.$3"), no_units("[€£$]0.0?([0-9]{1,2})\\b", "¢$1"),
      one("\\b1(s?)\\b", "one$1");
  std::string plain = with_point_five(text);
  for (const Substitution* step : {&letter_digit, &digit_letter, &ending}) { plain = step->apply(plain); }
  const std::vector<std::string> words = split_words(plain);
  std::string joined_words = joined(NumberReader(words).read(), " ");
  for (const Substitution* step : {&cents, &two_cents, &no_units, &one}) { joined_words = step->apply(joined_words); }
  return joined_words;
}

}  // namespace mdl::worker::metrics
