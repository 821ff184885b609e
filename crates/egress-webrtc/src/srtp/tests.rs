use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len() / 2)
        .map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).expect("hex"))
        .collect()
}

/// A context that sends with session keys given, not derived.
fn gcm(algorithm: &'static Algorithm, key: &str, salt: &str) -> Sealer {
    Sealer::Gcm {
        key: LessSafeKey::new(UnboundKey::new(algorithm, &hex(key)).expect("a key")),
        salt: hex(salt).try_into().expect("12 bytes"),
    }
}

fn with_rtp(rtp: Sealer) -> Srtp {
    let mut srtp = pair(SrtpProfile::AEAD_AES_128_GCM).0;
    srtp.rtp = rtp;
    srtp
}

const SALT: &str = "51756964 2070726f 2071756f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PACKET: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 696120 6573 7420 6f6d 6e69 7320 6469 7669 7361 2069 6e20 7061 7274 6573 2074 7265 73";

/// RFC 7714 §16.1.1 and §16.2.1.
#[test]
fn gcm_packets_are_those_of_rfc_7714() {
    let sealed = [
        (
            gcm(&AES_128_GCM, &KEY_256[..32], SALT),
            "f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        ),
        (
            gcm(&AES_256_GCM, KEY_256, SALT),
            "32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        ),
    ];
    for (rtp, expected) in sealed {
        let mut buffer = hex(PACKET);
        with_rtp(rtp)
            .seal_rtp(&mut buffer, 0, 12, 0xf17b)
            .expect("it seals");
        assert_eq!(buffer[12..], hex(expected));
    }
}

/// RFC 3711 appendix B.3.
#[test]
fn session_keys_are_those_of_rfc_3711() {
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let derived = |label, size| derive(&key, &salt, label, size).expect("it derives");
    assert_eq!(
        derived(Label::RTP.key, 16),
        hex("C61E7A93744F39EE10734AFE3FF7A087")
    );
    assert_eq!(
        derived(Label::RTP.salt, 14),
        hex("30CBBC08863D8C85D49DB34A9AE1")
    );
    assert_eq!(
        derived(Label::RTP.auth, 20),
        hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
    );
}

/// RFC 3711 appendix B.2: the key stream for SSRC 0 and number 0.
#[test]
fn counter_mode_is_that_of_rfc_3711() {
    let unbound =
        UnboundCipherKey::new(&AES_128, &hex("2B7E151628AED2A6ABF7158809CF4F3C")).expect("a key");
    let cipher = EncryptingKey::ctr(unbound).expect("a cipher");
    let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
        .try_into()
        .expect("14 bytes");
    let mut stream = vec![0; 32];
    counter_mode(&cipher, &salt, 0, 0, &mut stream).expect("it encrypts");
    assert_eq!(
        stream,
        hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB")
    );
}

/// What libsrtp makes with these keys of a report, its first one, and of a packet.
#[test]
fn packets_and_reports_are_those_of_libsrtp() {
    const REPORT: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
        deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    const SEALED: [(&str, &str); 3] = [
        (
            "c043b1d1837b0619bcc87e17870983406e8a1d934e99317bf307a9492d9ec01b67247acce926ce00b536d046\
             7bd077aa033a0b7d8435000c7395db2980000001",
            "957960bab41213d85ec9a2e9c256cbd9dd4723d6951a67507a00e18a3899db6b9f7e1775a4dcf349ca95492a\
             f0d3c84a9c40e9f9dca9",
        ),
        (
            "415477c21158eee6e12b91260d0e6e82202224e256a4d53e772695a32ca26667e3129f3847f33ce495291361\
             999469fa89af0a008dffb6397824e3eb80000001",
            "56fd13d16ae124e495bd52cb9d53c8e0cdc3ef460b1af1bc07036df11f554003b9a2ca04074f31dab216ff9c\
             760886ccad1ea77f21e3",
        ),
        (
            "8f5462e9a7193050ace438f9148206cef6af5dd41835555653ba41b3ce2fcd53a8bcadfd0513ad2ce6806351\
             800000018ad18efed788831f235e",
            "890179fa36e7b215151b43d935667e6ab40f4b20b6497fcb4c3ac8ce7d2855d8c1587d1d8b4cc5c0bd011339\
             f7aeaff9",
        ),
    ];
    for (profile, (report, packet)) in PROFILES.into_iter().zip(SEALED) {
        let (key, salt) = match profile {
            SrtpProfile::AEAD_AES_256_GCM => (32, 12),
            SrtpProfile::AEAD_AES_128_GCM => (16, 12),
            _ => (16, 14),
        };
        let (key, salt) = ((0..key).collect(), (0xa0..0xa0 + salt).collect::<Vec<u8>>());
        let (none, free): (Vec<u8>, Vec<u8>) = (vec![0; salt.len()], vec![0; Vec::len(&key)]);
        let side = |client| {
            let material = [&free, &key, &none, &salt].map(Vec::as_slice).concat();
            Srtp::new(&material, profile, client).expect("keys")
        };
        let mut ours = side(false);
        // libsrtp counts from one.
        ours.seal_rtcp(&mut hex(REPORT), 0).expect("it seals");
        let mut sealed = hex(REPORT);
        ours.seal_rtcp(&mut sealed, 0).expect("it seals");
        assert_eq!(sealed[8..], hex(report), "{profile:?}");
        assert_eq!(side(true).open_rtcp(&sealed), Some(hex(REPORT)));
        let mut sealed = [
            hex("8040f17b8041f8d35501a0b2"),
            b"Gallia est omnis divisa in partes tres".to_vec(),
        ]
        .concat();
        ours.seal_rtp(&mut sealed, 0, 12, 0xf17b).expect("it seals");
        assert_eq!(sealed[12..], hex(packet), "{profile:?}");
    }
}

/// Both sides of a connection.
fn pair(profile: SrtpProfile) -> (Srtp, Srtp) {
    let (key, salt) = match profile {
        SrtpProfile::AEAD_AES_256_GCM => (32, 12),
        SrtpProfile::AEAD_AES_128_GCM => (16, 12),
        _ => (16, 14),
    };
    let size = |n: usize, byte: u8| vec![byte; n];
    let material = [size(key, 1), size(key, 2), size(salt, 3), size(salt, 4)].concat();
    let side = |client| Srtp::new(&material, profile, client).expect("keys");
    (side(false), side(true))
}

const PROFILES: [SrtpProfile; 3] = [
    SrtpProfile::AEAD_AES_256_GCM,
    SrtpProfile::AEAD_AES_128_GCM,
    SrtpProfile::AES128_CM_SHA1_80,
];
const REPORT: &[u8] = b"\x80\xc9\x00\x01\x01\x02\x03\x04";

#[test]
fn a_report_is_opened_once_and_not_when_altered() {
    for profile in PROFILES {
        let (mut ours, mut theirs) = pair(profile);
        for _ in 0..3 {
            let mut sealed = [b"before", REPORT, b"more"].concat();
            theirs.seal_rtcp(&mut sealed, 6).expect("it seals");
            let sealed = &sealed[6..];
            for at in 0..sealed.len() {
                let mut altered = sealed.to_vec();
                altered[at] ^= 1;
                assert_eq!(ours.open_rtcp(&altered), None, "{profile:?} byte {at}");
            }
            assert_eq!(ours.open_rtcp(sealed), Some([REPORT, b"more"].concat()));
            assert_eq!(ours.open_rtcp(sealed), None, "a replay");
        }
    }
}

#[test]
fn rtp_is_sealed_with_the_rollovers_in_it() {
    for profile in PROFILES {
        let (ours, _) = pair(profile);
        let seal = |sequence| {
            let mut buffer = hex(PACKET);
            ours.seal_rtp(&mut buffer, 0, 12, sequence)
                .expect("it seals");
            buffer
        };
        assert_eq!(seal(0xf17b), seal(0xf17b));
        assert_ne!(seal(0xf17b), seal(0x1_f17b));
        assert!(seal(0).len() <= hex(PACKET).len() + GCM_TAG);
    }
}

proptest! {
    #[test]
    fn no_datagram_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for profile in PROFILES {
            prop_assert_eq!(pair(profile).0.open_rtcp(&bytes), None);
        }
    }
}
