"""What the real accelerate makes of a command line: called in-process, with everything but the start of the workers."""

import os

import accelerate.commands.launch as launch
import torch.distributed.run as torchrun
from accelerate.utils.launch import _filter_args, prepare_multi_gpu_env, prepare_simple_launcher_cmd_env


def resolve(arguments, monkeypatch):
    """{"launcher", "nproc_per_node", "nnodes", …, "env"} of `accelerate launch ARGUMENTS`."""
    result = {}

    def added(environment):
        return {name: value for name, value in environment.items() if before.get(name) != value}

    def multi(args):
        result["env"] = added(prepare_multi_gpu_env(args))
        filtered = _filter_args(
            args,
            torchrun.get_args_parser(),
            ["--training_script", args.training_script, "--training_script_args", args.training_script_args],
        )
        config, command, command_args = torchrun.config_from_args(filtered)
        result.update(
            launcher="multi_gpu",
            num_processes=args.num_processes,
            num_machines=args.num_machines,
            min_nodes=config.min_nodes,
            max_nodes=config.max_nodes,
            nproc_per_node=config.nproc_per_node,
            node_rank=config.rdzv_configs.get("rank"),
            rdzv_backend=config.rdzv_backend,
            rdzv_endpoint=config.rdzv_endpoint,
            max_restarts=config.max_restarts,
            role=config.role,
            standalone=bool(filtered.standalone),
        )

    def simple(args):
        command, environment = prepare_simple_launcher_cmd_env(args)
        result.update(launcher="simple", num_processes=args.num_processes, num_machines=args.num_machines, env=added(environment))

    monkeypatch.setattr(launch, "multi_gpu_launcher", multi)
    monkeypatch.setattr(launch, "simple_launcher", simple)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    try:
        launch.launch_command(launch.launch_command_parser().parse_args([*arguments, "program.py"]))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return result


def from_dry_run(plan):
    """The same fields from mdl-launch --dry-run's JSON, resolved as torchrun does with an endpoint that is left open."""
    asked = plan["launch"]
    result = {
        "launcher": plan["launcher"],
        "num_processes": asked["num_processes"],
        "num_machines": asked["num_machines"],
        "env": plan["env"],
    }
    if plan["launcher"] == "multi_gpu":
        nodes = int(asked.get("nnodes", "1"))
        endpoint = asked.get("rdzv_endpoint") or f"{asked.get('master_addr', '127.0.0.1')}:{asked['master_port']}"
        result.update(
            min_nodes=nodes,
            max_nodes=nodes,
            nproc_per_node=int(asked["nproc_per_node"]),
            rdzv_backend=asked["rdzv_backend"],
            rdzv_endpoint=endpoint,
            max_restarts=asked["max_restarts"],
            role=asked["role"],
            standalone=asked.get("standalone", False),
            node_rank=asked.get("node_rank", 0) if asked["rdzv_backend"] == "static" else None,
        )
    return result
