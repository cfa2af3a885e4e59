import PathTelemetry

/// Checks of buffers, offloads, clocks, privileges and limits.
enum SystemChecks {
    static func findings(_ facts: HostFacts) -> [Finding] {
        buffers(facts) + offloads(facts) + clocks(facts) + [binding(facts)] + limits(facts)
    }

    private static func buffers(_ facts: HostFacts) -> [Finding] {
        guard let granted = facts.buffers else {
            return [Finding(.receiveBuffer, .problem, "no UDP socket can be opened")]
        }
        func finding(
            _ check: Finding.Check, _ name: String, _ got: Int, _ wanted: Int, _ key: String
        ) -> Finding {
            let text = "\(name) buffers have \(NumberText.bytes(Double(got)))"
            guard got < wanted else { return Finding(check, .ok, text) }
            return Finding(
                check, .note, "\(text) of the \(NumberText.bytes(Double(wanted))) wanted",
                fix: "sysctl -w net.core.\(key)=\(wanted)")
        }
        return [
            finding(
                .receiveBuffer, "receive", granted.receive, facts.wantedBuffers.receive,
                "rmem_max"),
            finding(.sendBuffer, "send", granted.send, facts.wantedBuffers.send, "wmem_max"),
        ]
    }

    private static func offloads(_ facts: HostFacts) -> [Finding] {
        guard let offloads = facts.offloads else {
            return [Finding(.segmentation, .problem, "UDP over loopback does not work")]
        }
        return [
            offloads.segmentation
                ? Finding(.segmentation, .ok, "UDP_SEGMENT works")
                : Finding(
                    .segmentation, .note,
                    "UDP_SEGMENT is refused; it needs Linux 4.18 and is often off in containers"),
            offloads.joining
                ? Finding(.joining, .ok, "UDP_GRO works")
                : Finding(.joining, .note, "UDP_GRO does not join packets; it needs Linux 5.0"),
        ]
    }

    private static func clocks(_ facts: HostFacts) -> [Finding] {
        let steps = zip(facts.monotonic, facts.monotonic.dropFirst()).map { $1 - $0 }
        let isSane = steps.allSatisfy { $0 >= 0 } && steps.contains { $0 > 0 }
        let source = facts.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        let name = source.map { " (\($0))" } ?? ""
        return [
            isSane
                ? Finding(.monotonic, .ok, "the monotonic clock goes forward\(name)")
                : Finding(
                    .monotonic, .problem, "the monotonic clock stands still or goes back\(name)",
                    fix: "choose another clock: cat "
                        + "/sys/devices/system/clocksource/clocksource0/available_clocksource"),
            facts.isClockSynchronised == true
                ? Finding(.synchronised, .ok, "the clock follows a time server")
                : Finding(
                    .synchronised, .note, "the clock does not follow a time server",
                    fix: "timedatectl set-ntp true"),
        ]
    }

    private static func binding(_ facts: HostFacts) -> Finding {
        guard let link = facts.uplinks.first else {
            return Finding(.binding, .note, "not checked: no interface is usable")
        }
        guard let problem = facts.bindingProblem(link.name) else {
            return Finding(.binding, .ok, "sockets can be bound to interfaces")
        }
        return Finding(
            .binding, facts.uplinks.count > 1 ? .problem : .note, "\(problem)",
            fix: "setcap cap_net_raw+ep \"$(command -v pathwise)\"")
    }

    private static func limits(_ facts: HostFacts) -> [Finding] {
        var findings: [Finding] = []
        let files = facts.openFiles
        findings.append(
            files < 4096
                ? Finding(
                    .openFiles, .note,
                    "a process may open \(files) files; 2,000 connections need "
                        + "4096", fix: "ulimit -n 65536")
                : Finding(.openFiles, .ok, "a process may open \(files) files"))
        let memory = facts.lockedMemory
        findings.append(
            memory < 65_536
                ? Finding(
                    .lockedMemory, .note, "a process may lock \(memory) bytes of memory",
                    fix: "ulimit -l 64")
                : Finding(.lockedMemory, .ok, "memory for keys can be locked"))
        let load = facts.text("/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
        let busy = load.map { $0 > 1.5 * Double(facts.processors) } ?? false
        let shown = load.map { ", load \(NumberText.fixed($0, 2))" } ?? ""
        let count = NumberText.counted(facts.processors, "processor")
        findings.append(
            busy || facts.processors < 2
                ? Finding(
                    .processors, .note, "\(count)\(shown)",
                    fix: busy ? "top -o %CPU, and stop what is not needed" : nil)
                : Finding(.processors, .ok, "\(count)\(shown)"))
        return findings
    }
}
