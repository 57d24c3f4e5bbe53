#include "worker/convert/dataset_plan.hpp"

#include "common/atomic_file.hpp"
#include "worker/convert/row_group.hpp"
#include "worker/dataset/fingerprint.hpp"

namespace mdl::worker::convert {
namespace {

/// What all rows have in common.
dataset::Fingerprint common_fingerprint(const ConvertOptions& options, const processor::Processor& processor) {
  dataset::Fingerprint print;
  print.add(read_text(options.model_folder / "tokenizer.json"));
  print.add(processor.chat_template().source());
  const processor::AudioSettings& audio = processor.audio();
  for (const std::string& text : {audio.audio_token, audio.audio_bos_token, audio.audio_eos_token}) { print.add(text); }
  for (const std::int64_t value :
       {static_cast<std::int64_t>(audio.sample_rate), static_cast<std::int64_t>(audio.subsampling),
        static_cast<std::int64_t>(processor.pad_token()), static_cast<std::int64_t>(options.group_size),
        static_cast<std::int64_t>(options.encoding)}) {
    print.add(value);
  }
  return print;
}

void add_row(dataset::Fingerprint& print, const std::vector<processor::Message>& conversation,
             const CheckedRow& checked) {
  for (const processor::Message& message : conversation) {
    print.add(message.role);
    for (const processor::ContentPart& part : message.content) { print.add(part.value); }
  }
  for (const std::int64_t value : {checked.samples, checked.tokens, checked.file_size, checked.file_time}) {
    print.add(value);
  }
}

}  // namespace

DatasetPlan plan_dataset(std::span<const Row> rows, std::span<const CheckedRow> checked, const RowReader& reader,
                         const ConvertOptions& options) {
  DatasetPlan plan{.group_size = options.group_size};
  const std::size_t groups = (rows.size() + options.group_size - 1) / options.group_size;
  for (std::size_t group = 0; group < groups; ++group) {
    plan.group_bytes.push_back(group_bytes(plan.part_of(checked, group), options.encoding));
  }
  plan.shards = plan_shards(plan.group_bytes, options.max_shard_bytes);

  const dataset::Fingerprint common = common_fingerprint(options, reader.processor());
  dataset::Fingerprint whole = common;
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    dataset::Fingerprint print = common;
    const std::size_t last = std::min(plan.shards[shard].last * options.group_size, rows.size());
    for (std::size_t i = plan.shards[shard].first * options.group_size; i < last; ++i) {
      add_row(print, reader.conversation(rows[i]), checked[i]);
    }
    plan.files[plan.file_name(shard)] = print.hex();
    whole.add(print.hex());
  }
  plan.fingerprint = whole.hex();
  return plan;
}

}  // namespace mdl::worker::convert
