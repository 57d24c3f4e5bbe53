#include "worker/training/train_option_table.hpp"

#include "worker/cli/help_text.hpp"

namespace mdl::worker::training {
namespace {

constexpr cli::OptionText kOptions[] = {
    {.name = "model-name",
     .help = "MiDashengLM checkpoint: a folder, or a model's name ORG/NAME[@REVISION] at Hugging Face, which is "
             "downloaded where it is not in the local cache yet",
     .fallback = "mispeech/midashenglm-7b",
     .takes = cli::kPathOrName,
     .also = "model,model-name-or-path",
     .section = "Model and data"},
    {.name = "from-modelscope",
     .help = "true: the model's name is one at ModelScope, where the default is midasheng/midashenglm-7b",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
    {.name = "train-dataset",
     .help = "dataset folder to train on, as convert-dataset writes it, or a file of rows (.csv, .tsv, .jsonl) to "
             "convert first; repeated: all of them, and as DATA:WEIGHT each with that part of an epoch (required)",
     .takes = cli::kPaths,
     .also = "dataset"},
    {.name = "eval-dataset",
     .help = "dataset folder or file of rows to evaluate on (none)",
     .takes = cli::kPath,
     .also = "val-dataset"},
    {.name = "eval-split",
     .help =
         "in place of eval-dataset: this part of each training dataset's rows, drawn with the seed, is held out and "
         "evaluated on (none)",
     .also = "val-size,val-set-size,split-dataset-ratio"},
    {.name = "max-length",
     .help = "rows with more tokens than this, those of the sound among them, are left out and counted (none)"},
    {.name = "output",
     .help = "folder for checkpoint-STEP/ and final/ (required)",
     .takes = cli::kPath,
     .also = "output-dir"},
    {.name = "overwrite-output",
     .help = "true: remove the checkpoints in output that another run has written; false: they are an error",
     .fallback = "false",
     .takes = cli::kTrueOrFalse,
     .also = "overwrite-output-dir"},
    {.name = "skip-bad-samples",
     .help = "true: rows with broken sound or nothing to learn, and steps whose loss is no number, are left out and "
             "counted; false: they end the run",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},

    {.name = "lora-rank", .help = "rank of the adapters", .fallback = "32", .also = "lora-r", .section = "Adapters"},
    {.name = "lora-alpha", .help = "the adapters' output is scaled by alpha / rank", .fallback = "32"},
    {.name = "use-rslora",
     .help = "true: the adapters' output is scaled by alpha / sqrt(rank)",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
    {.name = "lora-dropout", .help = "part of an adapter's inputs that is dropped in training", .fallback = "0"},
    {.name = "train-target",
     .help = "what gets adapters: encoder, projector, decoder; and what is trained whole: embed_tokens, lm_head; "
             "repeated, with commas, or a JSON list",
     .fallback = "encoder,projector,decoder",
     .takes = cli::kList},
    {.name = "lora-targets",
     .help = "a regular expression in place of encoder, projector, decoder: linear layers whose whole name it matches "
             "get adapters, as PEFT's target_modules (none)",
     .also = "target-modules,target-regex"},
    {.name = "initial-adapter",
     .help = "PEFT adapter folder to start from, whose own rank, alpha and layers hold then (a fresh adapter)",
     .takes = cli::kPath},
    {.name = "merge-lora",
     .help = "true: final/ is a whole model; false: final/ is the adapter",
     .fallback = "true",
     .takes = cli::kTrueOrFalse},

    {.name = "lr",
     .help = "learning rate at its highest",
     .fallback = "1e-4",
     .also = "learning-rate",
     .section = "Steps"},
    {.name = "num-epochs",
     .help = "passes over the data, may be a fraction",
     .fallback = "1.0",
     .also = "num-train-epochs"},
    {.name = "max-steps", .help = "steps to train, in place of num-epochs; -1: num-epochs", .fallback = "-1"},
    {.name = "lr-scheduler-type",
     .help = "how the learning rate goes on: linear, cosine, cosine_with_min_lr, constant, constant_with_warmup, "
             "polynomial or inverse_sqrt, as in transformers",
     .fallback = "linear"},
    {.name = "lr-scheduler-kwargs",
     .help = "an object in JSON with more for that: num_cycles, min_lr, min_lr_rate, lr_end, power, timescale (none)",
     .takes = cli::kJsonObject},
    {.name = "warmup-steps",
     .help = "steps in which the learning rate rises; below 1 a part of all steps",
     .fallback = "0"},
    {.name = "warmup-ratio", .help = "the same as a part of all steps, from 0 to 1 (none)"},
    {.name = "weight-decay", .help = "AdamW's", .fallback = "0"},
    {.name = "adam-beta1", .help = "AdamW's", .fallback = "0.9"},
    {.name = "adam-beta2", .help = "AdamW's", .fallback = "0.999"},
    {.name = "adam-epsilon", .help = "AdamW's", .fallback = "1e-8"},
    {.name = "max-grad-norm", .help = "gradients are scaled to at most this norm; 0: they are not", .fallback = "1"},
    {.name = "batch-size",
     .help = "clips in a batch of each process",
     .fallback = "8",
     .also = "per-device-train-batch-size"},
    {.name = "batch-tokens",
     .help = "in place of batch-size: a batch has as many rows, of similar length, as have at most so many tokens "
             "together, those of their sounds among them, which are padded to the longest (none)"},
    {.name = "gradient-accumulation-steps", .help = "batches before the weights change", .fallback = "1"},
    {.name = "batch-norm",
     .help = "batch: normalise audio by the batch, as the Python tool; frozen: as the checkpoint does",
     .fallback = "batch"},
    {.name = "seed", .help = "decides the order of the data, fresh adapters and dropout", .fallback = "42"},

    {.name = "device",
     .help = "auto, cuda or cpu (auto: the GPU of this process's local rank, or the CPU where there is none or "
             "ACCELERATE_USE_CPU=true or an empty CUDA_VISIBLE_DEVICES says so)",
     .fallback = "auto",
     .section = "Device, precision and memory"},
    {.name = "bf16",
     .help =
         "true, false or auto: base model in bfloat16 "
         "(auto: what ACCELERATE_MIXED_PRECISION says, else where the GPU has it, and for large models a CPU with AMX)",
     .fallback = "auto"},
    {.name = "tf32",
     .help = "true: products of float32 matrices (--bf16 false) in TF32, faster and with 10 bits of mantissa, on a GPU "
             "of compute capability 8.0 or newer (LibTorch's: false)",
     .takes = cli::kTrueOrFalse},
    {.name = "gradient-checkpointing",
     .help = "true: less memory, a third more work",
     .fallback = "true",
     .takes = cli::kTrueOrFalse},
    {.name = "quantization",
     .help = "8bit or 4bit: keep the frozen linear layers' weights so, with the package bitsandbytes; final/ is merged "
             "into the checkpoint's own weights (none)"},
    {.name = "quantization-type", .help = "of 4bit: fp4 or nf4", .fallback = "fp4"},
    {.name = "double-quantization",
     .help = "of 4bit: true quantizes the scales too",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
    {.name = "ddp-timeout",
     .help = "seconds that a rank waits for the others in one operation before it ends with an error",
     .fallback = "1800"},

    {.name = "eval-strategy",
     .help = "no; steps: every eval-steps; epoch: after each pass (steps, where there is an eval-dataset)",
     .section = "Evaluation, checkpoints and reports"},
    {.name = "eval-steps", .help = "steps between evaluations; below 1 a fraction of all steps", .fallback = "500"},
    {.name = "eval-batch-size",
     .help = "clips in an evaluation batch of each process (batch-size)",
     .also = "per-device-eval-batch-size"},
    {.name = "eval-accumulation-steps", .help = "evaluation batches after which the losses leave the device (all)"},
    {.name = "save-strategy",
     .help = "no; steps: every save-steps; epoch: after each pass. The last step saves, too, but with no",
     .fallback = "steps"},
    {.name = "save-steps",
     .help = "steps between checkpoints; below 1 a fraction of all steps, 0 only the last",
     .fallback = "500"},
    {.name = "save-total-limit", .help = "checkpoints to keep, oldest removed first; 0: all (all)"},
    {.name = "load-best-model-at-end",
     .help = "true: final/ is made from the checkpoint of the best evaluation",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
    {.name = "eval-generate",
     .help = "so many rows of the evaluation data are answered at each evaluation, and accuracy, exact-match, wer and "
             "cer of the answers are logged (none)"},
    {.name = "metric-for-best-model",
     .help = "of an evaluation: loss, token-accuracy, or with eval-generate accuracy, exact-match, wer, cer (loss, "
             "where one is needed)"},
    {.name = "greater-is-better",
     .help = "of that metric (false of loss, wer and cer, true of the others)",
     .takes = cli::kTrueOrFalse},
    {.name = "early-stopping-patience",
     .help = "the run ends after so many evaluations in a row that are no better than the best (none)"},
    {.name = "early-stopping-threshold", .help = "that a better evaluation must be better by", .fallback = "0"},
    {.name = "resume-from-checkpoint",
     .help = "checkpoint folder to go on from; true: this run's newest one in output; "
             "workers that a launcher restarts go on by themselves",
     .fallback = "false"},
    {.name = "logging-steps",
     .help = "steps between lines of the log, with the mean loss since the last; below 1 a fraction of all steps",
     .fallback = "1"},
    {.name = "report-to",
     .help = "tensorboard: event files in OUTPUT/runs (or TENSORBOARD_LOGGING_DIR); json: OUTPUT/log.jsonl; none; all; "
             "repeated, with commas, or a JSON list",
     .fallback = "none",
     .takes = cli::kList},
    {.name = "report-html",
     .help = "true: OUTPUT/report.html, a page with the run's curves and facts, rewritten as it goes on",
     .fallback = "true",
     .takes = cli::kTrueOrFalse},

    {.name = "system-prompt",
     .help = "for files of rows: system prompt of rows that have none (none)",
     .section = "Files of rows (.csv, .tsv, .jsonl)"},
    {.name = "user-prompt", .help = "for files of rows: user prompt of rows that have none (none)"},
    {.name = "base-dir",
     .help = "for files of rows: folder that the paths of sounds are relative to (the current folder)",
     .takes = cli::kPath},
    {.name = "tokenizing-batch-size",
     .help = "for files of rows: rows that are padded to the same length",
     .fallback = "8"},
    {.name = "num-workers",
     .help = "for files of rows: threads that convert (one for each core)",
     .also = "dataset-num-proc"},
};

constexpr const char* kEightBitAdam =
    "The optimizer is AdamW in float32 (adamw_torch), for the adapters alone: leave the option out. Its moments are 8 "
    "bytes for each trained number, so 8 bits would save little. What is large is the base model: --quantization 8bit "
    "or 4bit.";
constexpr const char* kLabelSmoothing =
    "There is no label smoothing: the loss is the cross-entropy of MiDashengLM's own code. Leave the option out.";
constexpr const char* kNeverCut = "A sound or its answer is never cut. Write --max-length N: longer rows are left out.";
constexpr const char* kWholeModels =
    "Each process holds the whole model, as with DistributedDataParallel. For less memory: --quantization 4bit, "
    "--gradient-checkpointing true, a smaller --batch-size (or --batch-tokens) with --gradient-accumulation-steps.";
constexpr const char* kNoWandb =
    "Weights & Biases is not written to while a run goes on. Train with --report-to tensorboard, then: "
    "wandb sync OUTPUT/runs/*.";

constexpr cli::OtherWay kOtherWays[] = {
    {"revision", "Write the revision behind the model's name: NAME@VALUE."},
    {"cutoff-len", kNeverCut},
    {"max-seq-length", kNeverCut},
    {"truncation-strategy", kNeverCut},
    {"group-by-length", "Write --batch-tokens N: batches of at most N tokens, of rows of similar length."},
    {"max-tokens", "Write --batch-tokens N for the tokens of a batch, --max-length N for those of a row."},
    {"interleave-probs", "Write --train-dataset DATA:WEIGHT for each dataset."},
    {"label-smoothing-factor", kLabelSmoothing},
    {"label-smoothing", kLabelSmoothing},
    {"optim", kEightBitAdam},
    {"optimizer", kEightBitAdam},
    {"use-8bit-adam", kEightBitAdam},
    {"wandb", kNoWandb},
    {"wandb-project", kNoWandb},
    {"use-wandb", kNoWandb},
    {"run-name", "A run has the name of its output folder. Leave the option out."},
    {"fp16", "Training in float16 needs a scaled loss, which is not there: --bf16 true, or --bf16 false for float32."},
    {"deepspeed", kWholeModels},
    {"fsdp", kWholeModels},
    {"torch-compile", "The network is compiled C++ already. Leave the option out."},
    {"dataloader-num-workers",
     "A thread of its own reads and pads ahead. --num-workers is for converting a file of rows."},
    {"logging-dir", "The variable TENSORBOARD_LOGGING_DIR=VALUE says where event files go."},
    {"push-to-hub", "Upload the folder when it is there: hf upload ORG/NAME OUTPUT/final."},
    {"epochs", "Write --num-epochs VALUE."},
    {"epoch", "Write --num-epochs VALUE."},
    {"patience", "Write --early-stopping-patience VALUE."},
    {"lr-scheduler", "Write --lr-scheduler-type VALUE."},
    {"warmup", "Write --warmup-steps VALUE: steps, or a part of all below 1."},
    {"use-lora", "It trains LoRA adapters always. Leave the option out."},
    {"finetuning-type", "It trains LoRA adapters always. Leave the option out."},
    {"lora-target", "Write --train-target encoder,projector,decoder, or --lora-targets REGEX for single layers."},
    {"use-dora", "DoRA is not trained here; merge and inference take DoRA adapters."},
    {"adapter", "Write --initial-adapter VALUE to train it on."},
    {"resume", "Write --resume-from-checkpoint true, or a checkpoint's folder."},
    {"data-seed", "Write --seed VALUE: it decides the data's order, too."},
    {"test-size", "Write --eval-split VALUE."},
    {"val-size", "Write --eval-split VALUE."},
    {"max-samples", "Write --max-steps N, or a dataset of these rows."},
    {"packing", "Sequences are packed always: no text is padded. Leave the option out."},
    {"neat-packing", "Sequences are packed always: no text is padded. Leave the option out."},
    {"flash-attn", "Attention of packed sequences is chosen by the device. Leave the option out."},
    {"attn-implementation", "Attention of packed sequences is chosen by the device. Leave the option out."},
    {"plot-loss", "OUTPUT/report.html has the curves always. Leave the option out."},
    {"nproc-per-node", "It is the launcher's: mdl-launch --nproc-per-node VALUE --no-python mdl-toolkit train …"},
    {"load-in-8bit", "Write --quantization 8bit."},
    {"load-in-4bit", "Write --quantization 4bit."},
};

constexpr const char* kExample[] = {
    "mdl-toolkit train --train-dataset train.csv --eval-dataset eval.csv \\",
    "    --output run --lr 2e-4 --num-epochs 3 --batch-size 4",
};

}  // namespace

constinit const cli::CommandSyntax kTrainSyntax{.name = "train", .options = kOptions, .other_ways = kOtherWays};

std::span<const cli::OtherWay> other_ways_to_train() {
  return kOtherWays;
}

std::string train_help() {
  return cli::command_help({.usage = "train --train-dataset DIR|FILE --output DIR [options]",
                            .about = "Trains a LoRA adapter of a MiDashengLM model, alone or as one of the workers of "
                                     "mdl-launch, torchrun or accelerate. Defaults in parentheses; - and _ are the "
                                     "same in names.",
                            .example = kExample},
                           kOptions);
}

}  // namespace mdl::worker::training
