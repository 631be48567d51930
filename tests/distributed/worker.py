"""One process of the pool behind the fixture `on_processes`."""

import importlib.util
import pickle
import sys
import traceback
from datetime import timedelta
from functools import cache
from multiprocessing.connection import Connection
from types import ModuleType

import torch
import torch.distributed as dist


@cache
def module(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("worker_module", file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def serve(connection: Connection) -> None:
    while True:
        (file, name), args, rank, world, meeting = pickle.loads(connection.recv_bytes())
        torch.manual_seed(0)
        try:
            patience = timedelta(seconds=60)
            dist.init_process_group(
                "gloo", init_method=f"file://{meeting}", rank=rank, world_size=world, timeout=patience
            )
            answer = (True, getattr(module(file), name)(*args))
            dist.barrier()
            dist.destroy_process_group()
        except Exception:
            answer = (False, traceback.format_exc())
        connection.send_bytes(pickle.dumps(answer))


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, ConnectionResetError):
        sys.exit()  # the tests have ended
