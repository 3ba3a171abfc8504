#!/bin/bash
# promtool 2.42: a rules test that expects no alert passes for an alert that does not exist.
#
# `alert_rule_test` names the alert it is about. If no rule has that name (a typing error, or a rule that was renamed)
# and no alert is expected, the test succeeds, and so a test that a healthy system stays quiet shows nothing any more.
# One would guess that a name which no rule file holds is refused, as promtool refuses an unknown field.
set -euo pipefail
version=2.42.0+ds-5+deb12u1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "prometheus=$version" >/dev/null
dpkg-deb --fsys-tarfile ./*.deb | tar -xO ./usr/bin/promtool >promtool
chmod +x promtool

cat >rules.yml <<'YAML'
groups:
  - name: queue
    rules:
      - alert: QueueStuck
        expr: queue_waiting > 10
YAML

# A test of what is firing at once: NAME, and what is expected of it.
test_of() {
    cat >test.yml <<YAML
rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series:
      - {series: queue_waiting, values: "$1"}
    alert_rule_test:
      - {eval_time: 1m, alertname: $2, exp_alerts: []}
YAML
    if ./promtool test rules test.yml >log 2>&1; then echo passes; else echo fails; fi
}

{
    ./promtool --version | awk 'NR == 1 {print "promtool " $3}'
    echo "quiet queue, QueueStuck expected quiet: $(test_of '1 1' QueueStuck)"
    echo "stuck queue, QueueStuck expected quiet: $(test_of '99 99' QueueStuck)"
    echo "stuck queue, QueueStick expected quiet: $(test_of '99 99' QueueStick)"
} >seen
cat seen

expected='promtool 2.42.0+ds
quiet queue, QueueStuck expected quiet: passes
stuck queue, QueueStuck expected quiet: fails
stuck queue, QueueStick expected quiet: passes'
[[ $(<seen) == "$expected" ]] || {
    echo "promtool-misspelt-alert: this is no longer what was found" >&2
    exit 1
}
