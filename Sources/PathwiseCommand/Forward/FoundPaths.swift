import PathNetwork
import Pathwise

/// The paths of a `forward` that were found by themselves, also those that are down now.
struct FoundPaths: Sendable {
    /// In the order in which they were found.
    private var names: [String] = []
    /// Of paths that the user named, before they were to be found.
    private var given: Set<String> = []

    /// Notes that paths are found from now on, and that those of the session so far were named.
    mutating func begin(_ session: Session?) {
        guard let session else { return }
        given.formUnion(session.counters(includingRemoved: true).map(\.name))
    }

    /// Notes the paths that a session has had so far.
    mutating func note(_ session: Session) {
        for path in session.counters(includingRemoved: true) where !names.contains(path.name) {
            names.append(path.name)
        }
    }

    /// Their names, as a list of some paths stands for all; excluded ones are left out.
    ///
    /// - Throws: if they are not those of interfaces, as to a server on this host.
    func named(_ planner: PathPlanner) throws(CommandFailure) -> [String] {
        let interfaces = (try? InterfaceWatcher.list(includingLoopback: true)) ?? []
        let present = Set(interfaces.map(\.name))
        let wanted = names.filter { name in
            !planner.excludes(name) && (present.contains(name) || !given.contains(name))
        }
        // One of an interface that has gone is not listed, but then another one is.
        guard wanted.contains(where: present.contains) else {
            throw CommandFailure(
                "the paths of this process are not those of interfaces; name them with --path or in "
                    + "the file, and reload", .usage)
        }
        return wanted
    }
}
