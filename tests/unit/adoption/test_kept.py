"""When the old directory of an adoption may be removed."""

from autoupdate.adoption.kept import kept_directories
from autoupdate.model.errors import Exit
from tests.unit.old_directory import adopt_it, old_directory
from tests.unit.old_directory import kept_directories as kept_on_disk
from tests.unit.world import World

WEEK = 7 * 24 * 3600


def test_it_may_be_removed_after_a_week_and_an_update(world: World) -> None:
    old_directory(world)
    assert adopt_it(world).exit_code == Exit.DONE
    path = world.settings.path

    def reason() -> str:
        found = kept_directories(path, world.records, world.clock.now())
        assert [item.directory for item in found] == [str(item) for item in kept_on_disk(world)]
        return found[0].must_stay

    assert "7 days" in reason()
    world.clock.ahead = WEEK + 60
    assert "no update" in reason()
    assert world.deploy(2).exit_code == Exit.DONE
    assert reason() == ""
    world.clock.ahead = 0
    assert "7 days" in reason()


def test_names_that_only_look_like_it(world: World) -> None:
    for name in ("app.before-autoupdate-", "app.before-autoupdate-x", "other.before-autoupdate-1"):
        (world.root / "srv" / name).mkdir()
    assert kept_directories(world.settings.path, None, world.clock.now()) == []
