#pragma once

namespace mdl {

/// Json::parse(text, integers_only<Json>) makes null of every number with a fraction or an exponent, so that reading an
/// integer there is an error as with any other wrong type: for what comes from elsewhere and has none. The JSON library
/// would convert 1e300 as well, which is undefined.
template <typename Json>
bool integers_only(int /*depth*/, typename Json::parse_event_t event, Json& parsed) {
  if (event == Json::parse_event_t::value && parsed.is_number_float()) { parsed = nullptr; }
  return true;
}

}  // namespace mdl
