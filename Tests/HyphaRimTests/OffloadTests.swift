import Testing

@testable import HyphaRim

@Suite struct OffloadTests {
    @Test func configurationSwitchesOff() throws {
        let status = try OffloadStatus.probe(
            OffloadSettings(udpGRO: .off, udpGSO: .off, multishotRead: .off, receiveBundles: .off))
        for feature in [status.udpGRO, status.udpGSO, status.multishotRead, status.receiveBundles] {
            #expect(!feature.isOn)
            #expect(feature.reason == "switched off by configuration")
        }
        #expect(status.segmentLimit == 1)
        #expect(!status.tunTSO.isOn && !status.tunUSO.isOn)
    }

    @Test func aFeatureIsOnOrSaysWhyNot() throws {
        let status = try OffloadStatus.probe(OffloadSettings())
        for feature in [
            status.udpGRO, status.udpGSO, status.multishotRead, status.receiveBundles, status.tunTSO, status.tunUSO,
        ] {
            #expect(feature.isOn == feature.reason.isEmpty)
        }
        #expect(status.segmentLimit == (status.udpGSO.isOn ? 128 : 1))
    }

    @Test func aDemandThatCannotBeMetIsAnError() {
        #expect(throws: RimError.self) {
            try OffloadStatus.decide(.on, key: "udp_gso", has: false, lack: "Linux 4.4 has no UDP_SEGMENT")
        }
        do {
            _ = try OffloadStatus.decide(.on, key: "udp_gso", has: false, lack: "Linux 4.4 has no UDP_SEGMENT")
        } catch {
            #expect(error.kind == .offloadUnavailable)
            #expect(error.description.contains("udp_gso = \"on\""))
            #expect(error.description.contains("no UDP_SEGMENT"))
        }
    }

    @Test(arguments: [
        (OffloadSettings.Mode.auto, true, true), (.auto, false, false), (.on, true, true), (.off, true, false),
        (.off, false, false),
    ])
    func modes(mode: OffloadSettings.Mode, has: Bool, isOn: Bool) throws {
        #expect(try OffloadStatus.decide(mode, key: "k", has: has, lack: "lack").isOn == isOn)
    }

    @Test func changesAreTakenOnceAndApplied() throws {
        let changes = OffloadChanges()
        #expect(changes.take().isEmpty)
        changes.record(.segmentLimit)
        changes.record(.segmentLimit)
        changes.record(.tunLost)
        #expect(changes.take() == [.segmentLimit, .tunLost])
        changes.record(.segmentLimit)
        #expect(changes.take().isEmpty)
        var status = OffloadStatus(
            udpGRO: .on, udpGSO: .on, tunTSO: .on, tunUSO: .on, multishotRead: .on, receiveBundles: .on,
            segmentLimit: 128)
        status.apply(OffloadChange.segmentLimit)
        #expect(status.segmentLimit == 64 && status.udpGSO.isOn)
        for change in OffloadChange.allCases {
            #expect(!change.description.isEmpty)
            status.apply(change)
        }
        #expect(status.segmentLimit == 1)
        #expect(!status.udpGSO.isOn && !status.multishotRead.isOn && !status.tunTSO.isOn)
    }

    @Test(arguments: [
        (Int32(38), "run Linux 6.1 or newer"), (1, "kernel.io_uring_disabled"), (12, "LimitMEMLOCK"),
        (24, "LimitNOFILE"), (5, "Linux 6.1 or newer is needed"),
    ])
    func aRefusedRingSaysWhatToDo(code: Int32, words: String) {
        let error = Uring.unavailable(code)
        #expect(error.kind == .ringUnavailable)
        #expect(error.description.contains(words))
        #expect(!error.description.contains("\n"))
    }
}
