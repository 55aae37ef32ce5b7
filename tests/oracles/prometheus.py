"""Prometheus' own tools, where they are installed (Debian: prometheus): what they say of a page and of rules, and a server that scrapes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.fakes.ports import free_port
from tests.fakes.worker import until

PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
LIMIT = 60
CONFIG = """global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: haystack
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def check_metrics(page: str) -> str:
    """What `promtool check metrics` has to say of it; empty: nothing."""
    ended = subprocess.run([PROMTOOL or "", "check", "metrics"], input=page, capture_output=True, text=True, timeout=LIMIT, check=False)
    return ended.stdout + ended.stderr + (f"status {ended.returncode}" if ended.returncode else "")


def check_rules(path: Path) -> tuple[int, str]:
    """Status and text of `promtool check rules`."""
    ended = subprocess.run([PROMTOOL or "", "check", "rules", path], capture_output=True, text=True, timeout=LIMIT, check=False)
    return ended.returncode, ended.stdout + ended.stderr


class Prometheus:
    """A server that scrapes Haystack each second. port: of its http listener; config: what to do instead; beside: files beside it."""

    def __init__(self, port: int, config: str = "", beside: Sequence[Path] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="prometheus-test-")
        text, config_file = config or CONFIG.format(port=port), Path(self._folder.name) / "prometheus.yml"
        config_file.write_text(text)
        for each in beside:
            shutil.copy(each, self._folder.name)
        self._at = f"127.0.0.1:{free_port()}"
        words = [f"--config.file={config_file}", f"--storage.tsdb.path={self._folder.name}/data", f"--web.listen-address={self._at}"]
        self._process = subprocess.Popen([PROMETHEUS or "", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        until(self._answers, LIMIT, "Prometheus does not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(LIMIT)
        self._folder.cleanup()

    def _answers(self) -> bool:
        try:
            self._get("/api/v1/status/buildinfo")
        except urllib.error.HTTPError as error:  # newer ones answer 503 until they are ready
            error.close()
            return False
        except OSError:
            return False
        return True

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self._at}{path}", timeout=LIMIT) as answer:
            return json.load(answer)["data"]

    def value(self, query: str) -> float | None:
        """The one value of a PromQL query, or of the first series; None: there is none yet."""
        found = self._get(f"/api/v1/query?query={urllib.parse.quote(query)}")["result"]
        return float(found[0]["value"][1]) if found else None

    def rules(self) -> set[str]:
        """The names of the alerts that it watches for."""
        return {rule["name"] for group in self._get("/api/v1/rules")["groups"] for rule in group["rules"]}

    def target(self) -> dict[str, Any]:
        """How the scrapes go: its `health`, `lastError` and more."""
        targets = self._get("/api/v1/targets")["activeTargets"]
        return dict(targets[0]) if targets else {}


def try_rules(folder: Path, rules: Path, series: Sequence[tuple[str, str]]) -> set[str]:
    """The alerts of a file that fire after 85 minutes of these series (a minute between two values), as `promtool test rules` sees it."""
    names = re.findall(r"- alert: (\w+)", rules.read_text())
    fired = set()
    for name in names:
        wanted = {"eval_time": "85m", "alertname": name, "exp_alerts": []}
        inputs = [{"series": each, "values": values} for each, values in series]
        test = {"interval": "1m", "input_series": inputs, "alert_rule_test": [wanted]}
        file = folder / f"{name}.json"
        file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}))
        ended = subprocess.run([PROMTOOL or "", "test", "rules", file], capture_output=True, text=True, timeout=LIMIT, check=False)
        if ended.returncode:
            assert f"alertname: {name}" in ended.stdout + ended.stderr, ended.stdout + ended.stderr
            fired.add(name)
    return fired
