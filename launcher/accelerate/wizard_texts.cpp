#include "launcher/accelerate/wizard_texts.hpp"

#include <map>

#include "launcher/command_line/option_value.hpp"

namespace mdl::launcher::accelerate {
namespace {

struct Both {
  std::string_view english;
  std::string_view chinese;
};

const std::map<Text, Both> kTexts{
    {Text::environment, {"Where will the training run?", "训练在哪里运行?"}},
    {Text::this_machine, {"This machine", "本机"}},
    {Text::sagemaker, {"Amazon SageMaker", "Amazon SageMaker"}},
    {Text::machine_type, {"Which kind of training?", "哪种训练方式?"}},
    {Text::no_distribution, {"one process", "单进程"}},
    {Text::machines, {"How many machines take part? [1]:", "一共用几台机器?[1]:"}},
    {Text::machine_rank, {"Which rank has this machine?", "本机的序号(rank)是多少?"}},
    {Text::main_ip, {"Address of the machine of rank 0:", "序号为 0 的机器的地址:"}},
    {Text::main_port, {"Port on that machine for the processes to meet:", "各进程在该机器上会合所用的端口:"}},
    {Text::same_network,
     {"Are all machines in one local network? Say no for machines in a cloud or in different networks. [YES/no]:",
      "所有机器都在同一个局域网内吗?云上或不同网络的机器请答 no。[YES/no]:"}},
    {Text::rdzv_backend,
     {"Which rendezvous backend, static or c10d? [static]:",
      "使用哪种会合(rendezvous)方式,static 还是 c10d?[static]:"}},
    {Text::debug,
     {"Check collective operations for errors as they run? Slower, but finds mismatches before they time out. "
      "[yes/NO]:",
      "运行时检查集合通信是否出错?较慢,但能在超时之前发现不一致。[yes/NO]:"}},
    {Text::cpu_only,
     {"Train on the CPU only, even where there is a GPU? [yes/NO]:", "即使有 GPU 也只用 CPU 训练?[yes/NO]:"}},
    {Text::mpirun, {"Start the processes with mpirun? [yes/NO]:", "用 mpirun 启动进程?[yes/NO]:"}},
    {Text::dynamo,
     {"Compile a Python script's model with torch dynamo? [yes/NO]:",
      "用 torch dynamo 编译 Python 脚本中的模型?[yes/NO]:"}},
    {Text::dynamo_backend, {"Which dynamo backend?", "使用哪种 dynamo 后端?"}},
    {Text::dynamo_custom,
     {"Change the defaults of torch.compile? [yes/NO]:", "修改 torch.compile 的默认选项?[yes/NO]:"}},
    {Text::dynamo_mode, {"Which mode of torch.compile?", "torch.compile 的哪种模式?"}},
    {Text::dynamo_fullgraph,
     {"Insist on one graph for the whole model? [yes/NO]:", "要求整个模型编译成一张图?[yes/NO]:"}},
    {Text::dynamo_dynamic, {"Trace with dynamic shapes? [yes/NO]:", "使用动态形状追踪?[yes/NO]:"}},
    {Text::dynamo_regional,
     {"Compile repeated blocks once (regional compilation)? [yes/NO]:", "重复的模块只编译一次(区域编译)?[yes/NO]:"}},
    {Text::deepspeed, {"Use DeepSpeed? [yes/NO]:", "使用 DeepSpeed?[yes/NO]:"}},
    {Text::fsdp, {"Use FullyShardedDataParallel (FSDP)? [yes/NO]:", "使用 FullyShardedDataParallel(FSDP)?[yes/NO]:"}},
    {Text::megatron, {"Use Megatron-LM? [yes/NO]:", "使用 Megatron-LM?[yes/NO]:"}},
    {Text::cpu_processes,
     {"How many processes in total, over all machines? [1]:", "所有机器上一共启动多少个进程?[1]:"}},
    {Text::gpu_processes, {"How many GPUs in total, over all machines? [1]:", "所有机器上一共用多少个 GPU?[1]:"}},
    {Text::gpu_ids,
     {"Which GPUs of this machine, by number and comma? [all]:", "使用本机的哪些 GPU(编号,用逗号分隔)?[all]:"}},
    {Text::numa,
     {"Bind each process to the CPUs near its GPU (NVIDIA only)? [yes/NO]:",
      "把每个进程绑定到离其 GPU 最近的 CPU(仅限 NVIDIA)?[yes/NO]:"}},
    {Text::mixed_precision, {"Which mixed precision?", "使用哪种混合精度?"}},
    {Text::tf32_note,
     {"Note: dynamo without mixed precision is fast only with TF32; accelerate turns that on in Python scripts.",
      "注意:不用混合精度时,dynamo 需要 TF32 才快;accelerate 会在 Python 脚本中打开它。"}},
    {Text::gpus_here, {"GPUs found on this machine: ", "本机找到的 GPU 数:"}},
    {Text::not_supported,
     {"mdl-launch does not do this; Python's accelerate does. Please answer differently: ",
      "mdl-launch 不支持此项(Python 的 accelerate 支持),请换一个回答:"}},
    {Text::one_gpu_only,
     {"One GPU on one machine is not distributed. Give 2 or more, or start again and choose \"one process\".",
      "一台机器上的一个 GPU 不算分布式。请输入 2 或更大的数,或重新开始并选择“单进程”。"}},
    {Text::yes_or_no, {"Please answer yes or no.", "请回答 yes 或 no。"}},
    {Text::whole_number, {"Please give a whole number from ", "请输入整数,范围 "}},
    {Text::needed, {"An answer is needed here.", "此项不能为空。"}},
    {Text::unknown_backend, {"Please answer static or c10d.", "请回答 static 或 c10d。"}},
    {Text::menu_hint, {"(arrow keys or numbers, then Enter)", "(用方向键或数字选择,回车确认)"}},
    {Text::bad_choice, {"None of the choices: ", "没有这个选项:"}},
    {Text::input_ended,
     {"nothing was written: the input ended at the question: ", "没有写入任何文件:输入在此问题处结束:"}},
    {Text::result, {"\nThe configuration:\n\n", "\n配置内容:\n\n"}},
    {Text::saved, {"Saved as ", "已保存到 "}},
    {Text::old_kept, {"The former file is kept as ", "原文件已保留为 "}},
};

}  // namespace

Language choose_language(const std::optional<std::string>& asked, const machine::Environment& environment) {
  if (asked && !asked->empty()) {
    command_line::check_choice({"--lang", *asked}, {"en", "zh"});
    return *asked == "zh" ? Language::chinese : Language::english;
  }
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    auto variable = environment.find(name);
    if (variable == environment.end() || variable->second.empty()) { continue; }
    return variable->second.starts_with("zh") ? Language::chinese : Language::english;
  }
  return Language::english;
}

std::string_view text_of(Text text, Language language) {
  const Both& both = kTexts.at(text);
  return language == Language::chinese ? both.chinese : both.english;
}

}  // namespace mdl::launcher::accelerate
