#pragma once

#include <string>

#include "worker/convert/row.hpp"

namespace mdl::worker::convert {

/// A row from a line of JSONL, an object; number and line are left open. Either it has the keys audio, system_prompt,
/// user_prompt and prediction, or `messages`, a list of {"role", "content"}:
/// - roles are system, user and assistant; the last message may be the assistant's, and is the row's prediction then;
/// - content is a text or a list of parts: {"type": "text", "text": T} and {"type": "audio", "path": P} (also "url" or
///   "audio"), as in MiDashengLM's README;
/// - a row has one sound, in a message of the user. Where texts alone are given, it is the row's "audio" or "audios"
///   and stands where a text has "<audio>", or before the first text of the user (as ms-swift has it).
/// - system_prompt, user_prompt and prediction beside the messages are for what these do not say.
/// Other keys are ignored. Throws Error saying what is wrong, without the place.
Row row_of_json(const std::string& line);

}  // namespace mdl::worker::convert
