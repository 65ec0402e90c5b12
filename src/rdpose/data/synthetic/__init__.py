"""A crowd renderer: articulated people over cluttered backgrounds, with joints, boxes and true visibility.

scene = render_scene(np.random.default_rng(0), num_people=(3, 7), overlap=(0.3, 0.8))
write_dataset(Path("data/crowds"), num_pictures=100, seed=0, name="train2017")
"""

from rdpose.data.synthetic.dataset import scene_rng, write_dataset
from rdpose.data.synthetic.scenes import Person, Scene, render_scene

__all__ = ["Person", "Scene", "render_scene", "scene_rng", "write_dataset"]
