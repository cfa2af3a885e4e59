public import PathTelemetry

extension Connection {
    /// Adds a path of a client, or revives a removed one under its number.
    ///
    /// The peer learns of the path by its first packet. Returns nil when `PathID.limit` paths exist
    /// or the number is in use.
    ///
    /// - Parameters:
    ///   - path: its number; nil selects the first free one.
    ///   - name: its name for the user; the server is told and reports it.
    ///   - socket: number of the local socket, which `Transmit` returns.
    ///   - local: the socket's address, for recordings.
    ///   - datagramLimit: largest UDP payload of the interface.
    @discardableResult
    public mutating func addPath(
        _ path: PathID? = nil, name: String = "", traits: PathTraits = PathTraits(), socket: Int,
        local: SocketAddress? = nil, remote: SocketAddress, datagramLimit: Int, now: Instant
    ) -> PathID? {
        guard !isServer, closeReason == nil else { return nil }
        let name = EscapedText(name).description
        guard let number = path ?? paths.freeNumber(for: name), number.rawValue < PathID.limit
        else { return nil }
        if let index = index(of: number) {
            guard !paths[index].isAlive else { return nil }
            revive(
                index, traits: traits, socket: socket, remote: remote,
                datagramLimit: datagramLimit, now: now)
        } else {
            makePath(
                number, traits: traits, socket: socket, remote: remote,
                datagramLimit: datagramLimit, now: now)
        }
        if let index = index(of: number) {
            paths[index].name = name
            paths[index].isNameDue = !name.isEmpty
            news.journal.note(&paths[index], isServer: isServer, local: local, now: now)
        }
        return number
    }

    mutating func makePath(
        _ number: PathID, traits: PathTraits, socket: Int, remote: SocketAddress,
        local: SocketAddress? = nil, datagramLimit: Int, now: Instant
    ) {
        paths.append(
            Path(
                id: number, traits: traits, socket: socket, remote: remote,
                datagramLimit: allowed(datagramLimit),
                algorithm: configuration.congestion,
                initialWindowPackets: configuration.initialWindowPackets, now: now))
        let last = paths.count - 1
        paths[last].local = local
        paths[last].isUnrecorded = isServer
        paths[last].validation.isLimited = isServer
        if let peer = peerParameters { paths[last].recovery.peerAckDelay = peer.maximumAckDelay }
        news.events.append(
            .pathChanged(number, from: .closed, to: .validating, cause: .added, at: now))
    }

    /// Starts a path that was just added from what an earlier connection measured on it.
    public mutating func resume(_ path: PathID, from saved: SavedCapacity) {
        if let index = index(of: path) { paths[index].recovery.controller.resume(from: saved) }
    }

    /// The largest datagram that both ends accept.
    private func allowed(_ datagramLimit: Int) -> Int {
        min(
            datagramLimit,
            min(configuration.parameters.maximumDatagram, peerParameters?.maximumDatagram ?? .max))
    }

    /// Revives a removed path.
    mutating func revive(
        _ index: Int, traits: PathTraits, socket: Int, remote: SocketAddress, datagramLimit: Int,
        now: Instant
    ) {
        paths[index].revive(
            traits: traits, socket: socket, remote: remote, datagramLimit: allowed(datagramLimit),
            algorithm: configuration.congestion,
            initialWindowPackets: configuration.initialWindowPackets, now: now)
        paths[index].validation.isLimited = isServer
        paths[index].isUnrecorded = isServer
        paths.change(index, to: .validating, .added, now, &news)
        // This replaces the earlier status "abandoned".
        if !isServer { paths[index].statusToSend = paths[index].ownStatus }
    }

    /// Removes a path whose interface or address is gone.
    public mutating func removePath(_ path: PathID, now: Instant) {
        guard let index = index(of: path), paths[index].isAlive else { return }
        paths[index].recovery.handleFailed(now: now, sink: &session)
        paths.change(index, to: .closed, .removed, now, &news)
        paths[index].statusToSend = .abandoned
        session.clock.remove(path: path)
    }

    /// Probes paths at once, because this host slept or its network changed.
    ///
    /// - Parameter includingWorking: false leaves out paths that are in service.
    public mutating func probePaths(includingWorking: Bool, now: Instant) {
        for index in paths.indices where includingWorking || !paths[index].isUsable {
            paths[index].hurry(now: now)
        }
    }

    /// Takes back the end of a transmit, which the system refused: it counts as neither sent nor lost.
    public mutating func handleUnsent(_ transmit: Transmit, bytes: Int) {
        if let index = index(of: transmit.path) { paths[index].noteUnsent(transmit, bytes: bytes) }
    }

    /// Takes a fault that the system reported for a path: it triggers a probe and proves nothing.
    ///
    /// - Parameter datagramLimit: the route's largest UDP payload, if a datagram was too large.
    public mutating func handleSocketFault(_ path: PathID, datagramLimit: Int?, now: Instant) {
        guard let index = index(of: path), paths[index].isAlive else { return }
        if let datagramLimit {
            paths[index].mtu.handleTooBig(limit: datagramLimit, now: now)
            paths[index].recovery.handleMaximumPacketSize(paths[index].mtu.current, now: now)
        } else if paths[index].isUsable, paths.hasOtherUsable(than: index) {
            paths.suspect(index, .socketError, now, &session, &news)
        }
    }
}
