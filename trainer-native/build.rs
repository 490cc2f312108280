//! Keeps LLVM's compiler for the processor out of CUDA programs: 15 MB of 164. The crate cubecl-llvm holds what runs kernels
//! on the processor beside what writes them for GPUs, and no feature leaves it out. Nothing here calls it.
// Cargo reads it.
#![allow(clippy::disallowed_macros)]

use std::env;

/// What that code calls in LLVM. Without these the linker drops all that stands behind them.
const UNUSED: [&str; 12] = [
    "LLVM_InitializeNativeAsmParser",
    "LLVM_InitializeNativeAsmPrinter",
    "LLVM_InitializeNativeDisassembler",
    "LLVM_InitializeNativeTarget",
    "LLVMOrcCreateLLJIT",
    "LLVMOrcCreateNewThreadSafeContextFromLLVMContext",
    "LLVMOrcCreateNewThreadSafeModule",
    "LLVMOrcDisposeLLJIT",
    "LLVMOrcDisposeThreadSafeContext",
    "LLVMOrcLLJITAddLLVMIRModule",
    "LLVMOrcLLJITGetMainJITDylib",
    "LLVMOrcLLJITLookup",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key, value| env::var(key).is_ok_and(|set| set == value);
    // Rust brings its own linker there, which takes these arguments.
    let linker = is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_ENV", "gnu");
    if linker && env::var_os("CARGO_FEATURE_CUDA_BACKEND").is_some() {
        for name in UNUSED {
            // A reference to `name` becomes one to `__wrap_name`, which has to be some function: every program has `main`.
            println!("cargo::rustc-link-arg=-Wl,--wrap={name}");
            println!("cargo::rustc-link-arg=-Wl,--defsym=__wrap_{name}=main");
        }
    }
}
