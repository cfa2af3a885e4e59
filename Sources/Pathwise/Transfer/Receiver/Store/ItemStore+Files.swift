internal import Glibc
internal import PathTransport

extension ItemStore {
    /// Stores a file or the content of a pipe.
    func storeFile(
        _ delivery: Delivery, _ spot: Destination.Spot, _ item: inout ReceivedItem
    ) async throws {
        let header = delivery.header
        let folder = spot.folder
        item.path = folder.shownPath(of: spot.name)
        if options.onConflict != .rename { try Committer.checkNoFolder(spot.name, in: folder) }
        let twin = try twin(of: header, in: spot)
        if let twin, !header.isEager, try await confirm(twin, delivery, spot, &item) { return }
        if options.onConflict == .refuse, !header.isEager,
            try folder.status(of: spot.name) != nil
        {
            throw FileError(.create, item.path, code: EEXIST)
        }
        let part = TemporaryName.name(try identity(header, delivery.client).prefix(16))
        if !header.isEager { await writers.makeWay(for: part) }
        let file = try IncomingFile.open(
            in: folder, for: spot.name, part: part, pieceLength: delivery.reader.pieceLength)
        let writer = PartWriter(delivery.reader)
        writers.enter(file.name, writer)
        defer { writers.leave(file.name) }
        do {
            item.resumedFrom = try await resume(file, delivery)
            item.digest = try await delivery.content(into: file, &item)
            try file.complete()
        } catch {
            item.bytes = file.offset
            if writer.hasGivenWay {
                file.unlock()
                throw TransferError.takenOver
            }
            if header.kind == .file, file.offset >= Blocks.length, !ItemStore.isHopeless(error) {
                item.path = folder.shownPath(of: file.name)
                item.hasPart = true
            } else {
                file.discard()
            }
            throw error
        }
        item.bytes = file.offset
        do {
            // The same file may have been stored meanwhile.
            if let twin = header.isEager ? twin : try self.twin(of: header, in: spot),
                try await twin.digest() == item.digest
            {
                file.discard()
                item.becomeTwin(twin.name, in: spot)
                return
            }
            try file.file.setAttributes(
                mode: header.mode, modified: header.kind == .pipe ? nil : header.modified)
            // A large file is synchronised here, so that small ones need not wait for it.
            if options.synchronizes, !header.isEager { try await file.synchronize() }
            let name = try await committer.commit(
                Committer.Item(
                    file: header.isEager ? file.file : nil, folder: folder,
                    rename: (file.name, spot.name)))
            item.become(name ?? spot.name, in: spot)
        } catch {
            file.discard()
            throw error
        }
    }

    /// Whether resuming from the received part would fail again.
    private static func isHopeless(_ error: any Error) -> Bool {
        guard case .mismatch = error as? TransferError else { return false }
        return true
    }

    /// A digest of client and item name, for the temporary name of the file.
    private func identity(_ header: TransferHeader, _ client: PublicKey) throws -> [UInt8] {
        var digest = try RunningDigest()
        for part in [options.secret, Array(client.base64.utf8), header.name.bytes] {
            try part.withUnsafeBytes { bytes in try digest.update(bytes) }
        }
        return try digest.finish()
    }

    /// Asks the sender to resume where an earlier transfer ended; returns the offset.
    private func resume(_ file: IncomingFile, _ delivery: Delivery) async throws -> UInt64 {
        let header = delivery.header
        let usable =
            header.isEager || header.kind != .file
            ? 0 : Blocks.usable(file.found, of: header.size)
        var verified: UInt64 = 0
        if usable > 0 {
            try await delivery.askForProof(of: usable)
            verified = try await file.verify(usable) { try await delivery.proof() }
        }
        try await file.resume(at: verified, isDigestCurrent: verified == usable && usable > 0)
        try await delivery.start(at: verified)
        return verified
    }

    /// An existing file with the item's size and time, under its name or one numbered after it.
    private func twin(
        of header: TransferHeader, in spot: Destination.Spot
    ) throws(FileError) -> Twin? {
        guard header.kind == .file else { return nil }
        return try firstOfItsNames(in: spot) { name, there in
            guard there.st_mode & S_IFMT == S_IFREG, UInt64(max(0, there.st_size)) == header.size,
                FileTime(there.st_mtim) == header.modified,
                let file = try? spot.folder.openFile(name, writing: false, shownAs: name)
            else { return nil }
            return Twin(file: file, name: name, size: header.size)
        }
    }

    /// The first result of `look` for the entries under the item's name and those numbered after
    /// it; nil at the first free name.
    func firstOfItsNames<Found>(
        in spot: Destination.Spot, look: (_ name: [UInt8], _ there: stat) -> Found?
    ) throws(FileError) -> Found? {
        var name = spot.name
        var number = 0
        while let there = try spot.folder.status(of: name) {
            if let found = look(name, there) { return found }
            guard options.onConflict == .rename, number < Twin.mostTried else { return nil }
            number += 1
            name = Committer.numbered(spot.name, number)
        }
        return nil
    }

    /// Whether the sender proves that it has the content of an existing file.
    private func confirm(
        _ twin: Twin, _ delivery: Delivery, _ spot: Destination.Spot, _ item: inout ReceivedItem
    ) async throws -> Bool {
        guard twin.size > 0 else { return false }
        try await delivery.askForProof(of: twin.size)
        guard let digest = try await twin.proved(by: { try await delivery.proof() }) else {
            return false
        }
        try await delivery.start(at: twin.size)
        guard try await delivery.end() == digest else {
            throw TransferError.mismatch(name: item.name)
        }
        item.digest = digest
        item.bytes = twin.size
        item.resumedFrom = twin.size
        item.becomeTwin(twin.name, in: spot)
        return true
    }
}
