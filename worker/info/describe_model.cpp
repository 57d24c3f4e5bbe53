#include "worker/info/describe_model.hpp"

#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/size_text.hpp"
#include "worker/formats/encoder_names.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/info/tensor_files.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::info {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kNoWeights = "not here (no .safetensors file)";

/// Of weights in one file: that it is not here, as in a cache from which their blob was deleted.
std::string no_weights(const fs::path& folder) {
  const auto links = broken_links(folder);
  return links.empty() ? kNoWeights : str_cat("not here (", links.front(), " is a link to nothing)");
}

/// "embed_dim 48, depth 2": the keys that are there, each as the file has it.
std::string values_of(const json& object, std::initializer_list<const char*> keys) {
  std::string text;
  for (const char* key : keys) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) { continue; }
    text += str_cat(text.empty() ? "" : ", ", key, ' ', found->is_string() ? found->get<std::string>() : found->dump());
  }
  return text.empty() ? "not said" : text;
}

std::string line(const std::string& name, const std::string& text) {
  std::array<char, 32> padded{};
  std::snprintf(padded.data(), padded.size(), "%-20s", (name + ":").c_str());
  return str_cat("  ", padded.data(), text, '\n');
}

std::string describe(const TensorTotals& totals) {
  return str_cat(with_commas(totals.elements), " numbers in ", with_commas(totals.tensors), " tensors, ", totals.dtypes,
                 ", ", cli::size_text(totals.bytes));
}

std::string files_text(std::int64_t files) {
  return str_cat(files, files == 1 ? " file" : " files");
}

/// Of weights that are not there, what the index tells.
std::string describe_absent(const fs::path& folder, const std::optional<IndexedWeights>& indexed) {
  if (!indexed) { return line("weights", no_weights(folder)); }
  return line("weights", str_cat(files_text(indexed->files), indexed->bytes ? ", " : "",
                                 indexed->bytes ? cli::size_text(*indexed->bytes) : "", ", not downloaded"));
}

/// Totals of the tensors, and of each part of the model when there are several.
std::string describe_tensors(const fs::path& folder, const std::vector<TensorInfo>& tensors,
                             const std::string& prefix) {
  std::string text = line("weights", tensors.empty() ? no_weights(folder) : describe(total(tensors)));
  std::map<std::string, std::vector<TensorInfo>> parts;
  for (const TensorInfo& tensor : tensors) {
    std::string name = tensor.name;
    if (name.starts_with(prefix)) { name.erase(0, prefix.size()); }
    parts[name.substr(0, name.find('.'))].push_back(tensor);
  }
  if (parts.size() > 1) {
    for (const auto& [name, part] : parts) { text += line("  " + name, describe(total(part))); }
  }
  return text;
}

std::string describe_weights(const fs::path& folder, const std::vector<TensorInfo>& tensors) {
  const auto indexed = read_weights_index(folder);
  if (tensors.empty()) { return describe_absent(folder, indexed); }
  const std::string text = describe_tensors(folder, tensors, "");
  if (!indexed || indexed->missing == 0) { return text; }
  return text + line("  missing", str_cat(indexed->missing, " of ", files_text(indexed->files), ", not downloaded"));
}

/// The branches of an audio encoder that has two; nothing for the 7B's. What is wrong with one is told at the end.
std::string describe_branches(const json& encoder, const std::vector<TensorInfo>& tensors) {
  formats::TensorShapes shapes;
  for (const TensorInfo& tensor : tensors) { shapes.emplace(tensor.name, tensor.shape); }
  try {
    const formats::EncoderNames names = formats::find_encoder_names(shapes, encoder.contains("n_mels_patch"));
    if (!names.acoustic) { return {}; }
    const std::int64_t bins = shapes.at(names.acoustic->patch_embed + ".weight").at(2);
    return line("  branches", str_cat("a Dasheng encoder in ", names.blocks, ", and ", bins, " mel bins through ",
                                      names.acoustic->patch_embed));
  } catch (const UsageError&) { return {}; }
}

std::string indented(const std::string& text) {
  std::string out = "    ";
  for (const char c : text) { out += c == '\n' ? "\n    " : std::string(1, c); }
  return out;
}

std::string describe_text_side(const fs::path& folder) {
  const processor::Processor processor = processor::Processor::load(folder);
  const processor::AudioSettings& audio = processor.audio();
  std::string text = line("tokenizer", str_cat(with_commas(static_cast<std::int64_t>(processor.tokenizer().size())),
                                               " tokens, pads with id ", processor.pad_token()));
  text += line("sounds", str_cat(audio.sample_rate, " Hz, a token \"", audio.audio_token, "\" for each ",
                                 audio.tokens().samples_each(), " samples"));
  const std::vector<processor::Message> example = {{"user", {{"audio", "sound.wav"}, {"text", "What is it?"}}},
                                                   {"assistant", {{"text", "A bell."}}}};
  const auto encoded = processor.encode(example, {audio.sample_rate}, false);
  return text +
         line("chat template",
              str_cat("a second of sound, a question and an answer are ", encoded.ids.size(), " tokens:")) +
         indented(processor::expand_audio_tokens(processor.chat_template().apply(example, false), {audio.sample_rate},
                                                 audio)) +
         '\n';
}

std::string describe_training(const fs::path& folder) {
  if (!fs::exists(folder / "trainer_state.json")) { return {}; }
  const json state = formats::read_json_object(folder / "trainer_state.json");
  std::string text =
      line("training", values_of(state, {"global_step", "max_steps", "epoch", "num_train_epochs", "best_metric"}));
  for (const char* key : {"loss", "eval_loss"}) {
    const json log = state.value("log_history", json::array());
    for (auto entry = log.rbegin(); entry != log.rend(); ++entry) {
      if (!entry->contains(key)) { continue; }
      text += line(str_cat("  last ", key),
                   str_cat(entry->at(key).dump(), " at step ", entry->value("step", json()).dump()));
      break;
    }
  }
  return text +
         line("  optimizer",
              fs::exists(folder / "optimizer.pt")
                  ? "optimizer.pt, " + cli::size_text(static_cast<std::int64_t>(fs::file_size(folder / "optimizer.pt")))
                  : "none: training cannot go on from here");
}

}  // namespace

std::string describe_checkpoint(const fs::path& folder) {
  const json config = formats::read_json_object(folder / "config.json");
  std::string text = str_cat(folder.string(), ": a model\n", line("type", config.value("model_type", "not said")));
  const std::vector<TensorInfo> tensors = read_tensor_infos(folder);
  if (config.contains("audio_encoder_config")) {
    const json& encoder = config["audio_encoder_config"];
    text += line("audio encoder", values_of(encoder, {"embed_dim", "depth", "num_heads", "target_length"}));
    text += describe_branches(encoder, tensors);
  }
  if (config.contains("text_config")) {
    text +=
        line("decoder", values_of(config["text_config"],
                                  {"model_type", "hidden_size", "num_hidden_layers", "num_attention_heads",
                                   "num_key_value_heads", "intermediate_size", "vocab_size", "tie_word_embeddings"}));
  }
  text += describe_weights(folder, tensors);
  if (fs::exists(folder / "tokenizer.json")) {
    text += describe_text_side(folder);
  } else {
    text += line("tokenizer", "none (no tokenizer.json)");
  }
  return text + describe_training(folder);
}

std::string describe_adapter(const fs::path& folder) {
  const json config = formats::read_json_object(folder / "adapter_config.json");
  std::string text = str_cat(folder.string(), ": a LoRA adapter\n");
  text +=
      line("base model",
           values_of(config, {"base_model_name_or_path"}).substr(config.contains("base_model_name_or_path") ? 24 : 0));
  text += line("LoRA", values_of(config, {"r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "bias"}));
  text += line("layers", values_of(config, {"target_modules"}));
  text += line("trained whole", values_of(config, {"modules_to_save"}));
  text += describe_tensors(folder, read_tensor_infos_of(folder / "adapter_model.safetensors"), "base_model.model.");
  if (const auto statistics = read_tensor_infos_of(folder / "batch_norm.safetensors"); !statistics.empty()) {
    text += line("batch norm", str_cat(with_commas(total(statistics).elements),
                                       " numbers in batch_norm.safetensors, the first layer's statistics"));
  }
  return text + describe_training(folder);
}

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = std::ssize(digits) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

}  // namespace mdl::worker::info
