"""One torch thread a process: two of them on busy cores are many times slower than one."""

import torch

torch.set_num_threads(1)
