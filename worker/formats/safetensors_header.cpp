#include "worker/formats/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::formats {
namespace {

using nlohmann::json;

/// Bytes of one element of each type that the format knows.
std::optional<std::size_t> element_size(std::string_view dtype) {
  static constexpr auto kSizes = std::to_array<std::pair<std::string_view, std::size_t>>({{"BOOL", 1},
                                                                                          {"U8", 1},
                                                                                          {"I8", 1},
                                                                                          {"F8_E4M3", 1},
                                                                                          {"F8_E5M2", 1},
                                                                                          {"F8_E8M0", 1},
                                                                                          {"F8_E4M3FNUZ", 1},
                                                                                          {"F8_E5M2FNUZ", 1},
                                                                                          {"I16", 2},
                                                                                          {"U16", 2},
                                                                                          {"F16", 2},
                                                                                          {"BF16", 2},
                                                                                          {"I32", 4},
                                                                                          {"U32", 4},
                                                                                          {"F32", 4},
                                                                                          {"I64", 8},
                                                                                          {"U64", 8},
                                                                                          {"F64", 8},
                                                                                          {"C64", 8}});
  for (const auto& [name, size] : kSizes) {
    if (name == dtype) { return size; }
  }
  return std::nullopt;
}

class HeaderParser {
 public:
  HeaderParser(size_t data_start, size_t file_size, const std::string& file)
      : data_start_(data_start), file_size_(file_size), file_(file) {}

  SafetensorsTensor entry(const std::string& name, const json& value) const {
    if (!value.is_object()) { fail(name, "its description is no JSON object"); }
    const auto found = value.find("dtype");
    if (found == value.end() || !found->is_string()) { fail(name, "it has no dtype"); }
    SafetensorsTensor entry{found->get<std::string>(), shape(name, value), 0, 0};
    const auto size_of_one = element_size(entry.dtype);
    if (!size_of_one) { fail(name, str_cat("the dtype ", found->dump(), " is not supported")); }
    const auto [begin, end] = offsets(name, value);
    uint64_t bytes = *size_of_one;
    for (const int64_t size : entry.shape) {
      if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
        fail(name, "its shape is absurdly large");
      }
    }
    if (end - begin != bytes) {
      fail(name, str_cat("its shape and type need ", bytes, " bytes, but its data_offsets span ", end - begin));
    }
    entry.begin = data_start_ + begin;
    entry.end = data_start_ + end;
    return entry;
  }

  /// The format has every byte of the data belong to exactly one tensor.
  void check_cover(const std::map<std::string, SafetensorsTensor>& entries) const {
    std::vector<std::pair<const std::string*, const SafetensorsTensor*>> sorted;
    for (const auto& [name, entry] : entries) { sorted.emplace_back(&name, &entry); }
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
    });
    size_t covered = data_start_;
    for (const auto& [name, entry] : sorted) {
      if (entry->begin < covered) { fail(*name, "its data overlap another tensor's"); }
      if (entry->begin > covered) {
        fail(*name, str_cat(entry->begin - covered, " bytes before it belong to no tensor"));
      }
      covered = entry->end;
    }
    if (covered != file_size_) {
      throw UsageError(
          str_cat(file_, ": broken safetensors file: ", file_size_ - covered, " bytes at its end belong to no tensor"));
    }
  }

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& why) const {
    throw UsageError(str_cat(file_, ": broken safetensors file: tensor \"", name, "\": ", why));
  }

  std::vector<int64_t> shape(const std::string& name, const json& value) const {
    const auto found = value.find("shape");
    if (found == value.end() || !found->is_array()) { fail(name, "it has no shape"); }
    std::vector<int64_t> sizes;
    for (const auto& size : *found) {
      if (!size.is_number_unsigned() || size.get<uint64_t>() > uint64_t{1} << 62) {
        fail(name, str_cat("its shape ", found->dump(), " is not a list of sizes"));
      }
      sizes.push_back(size.get<int64_t>());
    }
    return sizes;
  }

  std::pair<size_t, size_t> offsets(const std::string& name, const json& value) const {
    const auto found = value.find("data_offsets");
    const bool pair = found != value.end() && found->is_array() && found->size() == 2 &&
                      (*found)[0].is_number_unsigned() && (*found)[1].is_number_unsigned();
    if (!pair) { fail(name, "it has no data_offsets [begin, end]"); }
    const auto begin = (*found)[0].get<uint64_t>(), end = (*found)[1].get<uint64_t>();
    if (begin > end) { fail(name, str_cat("its data_offsets ", found->dump(), " end before they begin")); }
    const size_t available = file_size_ - data_start_;
    if (end > available) {
      throw UsageError(str_cat(file_, ": the file is truncated: tensor \"", name, "\" ends at byte ", end,
                               " of the data, but only ", available, " bytes are there"),
                       "Was a download or a copy cut off? Fetch the file again.");
    }
    return {begin, end};
  }

  size_t data_start_;
  size_t file_size_;
  const std::string& file_;
};

}  // namespace

std::map<std::string, SafetensorsTensor> parse_safetensors_header(std::string_view text, size_t data_start,
                                                                  size_t file_size, const std::string& file,
                                                                  std::map<std::string, std::string>& metadata) {
  json header;
  if (json_nesting(text) <= kMaxJsonNesting) { header = json::parse(text, nullptr, /*allow_exceptions=*/false); }
  if (!header.is_object()) {
    throw UsageError(str_cat(file, ": broken safetensors file: its header is no JSON object"),
                     "Is it really a safetensors file, and whole?");
  }
  const HeaderParser parser(data_start, file_size, file);
  std::map<std::string, SafetensorsTensor> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) {
        throw UsageError(str_cat(file, ": broken safetensors file: __metadata__ is no object"));
      }
      for (const auto& [key, text_value] : value.items()) {
        metadata[key] = text_value.is_string() ? text_value.get<std::string>() : text_value.dump();
      }
    } else {
      entries.emplace(name, parser.entry(name, value));
    }
  }
  parser.check_cover(entries);
  return entries;
}

}  // namespace mdl::worker::formats
