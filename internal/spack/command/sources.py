# Runs inside "spack -D ENVIRONMENT python": says which sources building packages
# needs, and packs those that come from version control.
#
#   sources.py list OUTPUT HASHES     a JSON list into the file OUTPUT
#   sources.py store DIRECTORY WANTED the sources of the JSON list of [hash, number]
#                                     in the file WANTED into the mirror DIRECTORY
#
# Works with Spack 0.23 to 1.2. What is asked of Spack is what its own
# "spack mirror create" asks: the stages of a package, their fetchers and where
# these lie in a mirror.
import json
import os
import sys

import spack.caches
import spack.environment
import spack.fetch_strategy as fs


def stages(spec):
    """The stages of a package that fetch something, with their numbers."""
    package = spec.package
    if spec.external or not package.has_code:
        return
    for number, stage in enumerate(package.stage):
        fetcher = getattr(stage, "default_fetcher", None)  # develop stages have none
        if fetcher is not None and not isinstance(fetcher, fs.BundleFetchStrategy):
            yield number, stage, fetcher


def revision(fetcher):
    names = ("commit", "tag", "branch", "revision", "date")
    return ",".join("%s=%s" % (n, getattr(fetcher, n)) for n in names if getattr(fetcher, n, None))


def describe(spec, number, stage, fetcher):
    found = {
        "package": spec.name,
        "hash": spec.dag_hash(),
        "number": number,
        "path": os.path.normpath(stage.mirror_layout.path),  # git has //
    }
    if isinstance(fetcher, fs.URLFetchStrategy):
        found.update(kind="archive", urls=list(fetcher.candidate_urls), digest=(fetcher.digest or "").lower())
    else:
        found.update(kind="checkout", urls=[str(fetcher.url)], revision=revision(fetcher))
    return found


class Statistics:
    """What Stage.cache_mirror reports to."""

    def added(self, resource):
        pass

    def already_existed(self, resource):
        pass

    def error(self):
        pass


def store(spec, numbers, directory):
    mirror = spack.caches.MirrorCache(directory, skip_unstable_versions=False)
    for number, stage, _ in stages(spec):
        if number in numbers:
            stage.create()
            try:
                stage.cache_mirror(mirror, Statistics())
            finally:
                stage.destroy()


def main(action, target, argument):
    specs = {s.dag_hash(): s for s in spack.environment.active_environment().all_specs()}
    with open(argument) as f:
        wanted = json.load(f)
    if action == "store":
        for key in sorted({key for key, _ in wanted}):
            store(specs[key], {number for k, number in wanted if k == key}, target)
        return
    found = [describe(specs[key], *stage) for key in wanted for stage in stages(specs[key])]
    with open(target + ".part", "w") as f:
        json.dump(found, f)
    os.rename(target + ".part", target)


main(*sys.argv[1:])
