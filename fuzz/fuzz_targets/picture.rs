#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    avse_fuzz::readers::pictures::picture(bytes);
});
