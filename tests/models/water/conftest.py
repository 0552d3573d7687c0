from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from models.water import Water


class Maker:
    """Opens water models of the demo, or of another text, each with a scratch folder of its own."""

    def __init__(self, folder):
        self.folder, self.made = folder, []

    def setup(self, text=None, **options):
        setup = Water.demo(self.folder / f"pack{len(self.made)}")
        if text is not None:
            setup.files["network"].write_text(text)
        return replace(setup, options=options, scratch=self.folder / f"scratch{len(self.made)}", start=datetime(2014, 8, 16, 20, 0))

    def __call__(self, text=None, setup=None, **options):
        model = Water(setup or self.setup(text, **options))
        self.made.append(model)
        model.open()
        return model

    def solved(self, text=None, **options):
        model = self(text, **options)
        model.solve()
        return model


@pytest.fixture
def water(tmp_path):
    maker = Maker(tmp_path)
    yield maker
    for model in maker.made:
        model.close()
