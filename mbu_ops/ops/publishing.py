"""What an op made of trained weights can do with them: write them into a folder, or put them on a hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from mbu_ops.weights import Pretrained


class Publishing:
    """Base of ops, which keep the weights that they were made of."""

    pretrained: Pretrained | None = None
    """The trained weights it was made of, whose networks it uses; None for an op on a bare network."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Write its weights, as they are now, and their card; see :func:`mbu_ops.weights.save_pretrained`.

        Args:
            folder: where to; ``from_pretrained`` takes it for a name from then on.

        Raises:
            ConfigurationError: if the op was made of a bare network, or of one content of several.
            WeightsError: if the folder cannot be written.
        """
        from mbu_ops.weights import save_pretrained

        save_pretrained(self._trained(), folder)

    def push_to_hub(
        self,
        repo: str,
        *,
        token: str | None = None,
        private: bool | None = None,
        commit_message: str = "Upload weights of mbu-ops",
    ) -> str:
        """Upload its weights, as they are now, and their card; see :func:`mbu_ops.weights.push_to_hub`.

        Args:
            repo: ``user/name``; made if it is not there.
            token: of an account that may write there; by default the one that is logged in.
            private: whether a new repository is; by default as the account has it.
            commit_message: what the commit says.

        Returns:
            The name of what was uploaded, with the commit's hash.

        Raises:
            ConfigurationError: if the op was made of a bare network, or of one content of several.
            MissingPackageError: if huggingface_hub is not installed.
            WeightsError: if the Hub cannot be reached or refuses.
        """
        from mbu_ops.weights import push_to_hub

        return push_to_hub(self._trained(), repo, token=token, private=private, commit_message=commit_message)

    def _trained(self) -> Pretrained:
        if self.pretrained is None:
            raise ConfigurationError(
                "expected an op made by from_pretrained(...) or of(...), which knows its weights, got one on a "
                "bare network: write that by mbu_ops.weights.save(path, model, WeightsInfo(...))"
            )
        return self.pretrained
