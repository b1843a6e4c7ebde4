"""The handler of the demo's model, packed into its archive: rows of v1, and the one tensor of v2."""

from __future__ import annotations

from typing import Any

import torch
from ts.torch_handler.base_handler import BaseHandler


class Rows(BaseHandler):  # type: ignore[misc]
    """Gives the model the rows that TorchServe read from a request, and answers a label a row."""

    def handle(self, data: list[Any], context: Any) -> list[Any]:
        """Answer v1's `instances`, or v2's tensors, of which TorchServe gives each with its data in shape."""
        if data and isinstance(data[0], dict):
            return [labels for tensor in data for labels in (super().handle(tensor["data"], context),)]
        return super().handle(data, context)  # type: ignore[no-any-return]

    def preprocess(self, data: list[Any]) -> torch.Tensor:
        """Return the rows as the model takes them."""
        return torch.tensor(data, dtype=torch.float32, device=self.device)
