#include "worker/generation/file_rows.hpp"

#include <span>

namespace mdl::worker::generation {

FileRows::FileRows(convert::RowFile& file, const std::filesystem::path& path, const processor::Processor& processor,
                   const convert::RowOptions& options, int64_t most_prompt_tokens)
    : file_(file),
      path_(path),
      options_(options),
      prompts_(processor, options, convert::RowPurpose::answering, most_prompt_tokens),
      conversations_(processor, options, convert::RowPurpose::training) {}

std::vector<convert::CheckedRow> FileRows::check_all() const {
  return prompts_.check_all(file_, path_);
}

LoadedRows FileRows::load(const std::vector<convert::Row>& rows) const {
  return load_rows(rows, options_.workers, [&](const convert::Row& row) { return prompts_.read(row); });
}

std::vector<dataset::Sample> FileRows::labelled(const LoadedRows& rows) const {
  std::vector<dataset::Sample> samples;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const std::vector<float>& waveform = rows.inputs[i].waveform;
    const auto encoded = conversations_.processor().encode(conversations_.conversation(rows.rows[i]),
                                                           {std::ssize(waveform)}, /*generate=*/false);
    dataset::Sample& sample = samples.emplace_back();
    sample.input_ids.assign(encoded.ids.begin(), encoded.ids.end());
    sample.attention_mask.assign(encoded.ids.size(), 1);
    sample.labels = encoded.labels;
    sample.waveform = std::span<const float>(waveform);
    sample.audio_length = std::ssize(waveform);
  }
  return samples;
}

}  // namespace mdl::worker::generation
