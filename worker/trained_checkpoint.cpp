#include "worker/trained_checkpoint.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/model/opened_checkpoint.hpp"
#include "worker/processor/pad_token.hpp"

namespace mdl::worker {

void check_trained_configuration(const std::filesystem::path& folder) {
  if (tensors::SafetensorsFolder::is_at(folder)) { return; }
  model::load_config(folder);
  processor::read_pad_token_id(folder);
}

TrainedCheckpoint read_trained_checkpoint(const std::filesystem::path& folder) {
  return {.config = model::open_checkpoint(folder, at::kFloat).model->config(),
          .pad_token_id = processor::read_pad_token_id(folder)};
}

std::string tell_trainable(const std::filesystem::path& folder) {
  try {
    if (!tensors::SafetensorsFolder::is_at(folder)) {
      model::load_config(folder, model::Tokenizer::may_be_missing);
      return "trainable: yes, as far as config.json tells: the weights are not here";
    }
    read_trained_checkpoint(folder);
    return "trainable: yes";
  } catch (const Error& error) {
    const std::string advice = error.advice();
    return str_cat("trainable: no, because ", error.problem(), advice.empty() ? "" : ". ", advice);
  }
}

}  // namespace mdl::worker
